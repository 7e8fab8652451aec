import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import policy as policy_module
from gateway.core.caller import Caller, caller_at
from gateway.core.caller_match import CallerMatch, network
from gateway.core.policy import DEFAULT, SPELLING, Decision, Policy, Rule
from gateway.core.routes import Operation
from gateway.core.shapes import Shapes


def operation(method: str, path: str, product: str, name: str) -> Operation:
    return Operation(path, method, product, name, None, ())


TABLE = (
    operation("GET", "/v2/users", "users", "users"),
    operation("GET", "/v2/users/{userId}", "users", "user"),
    operation("DELETE", "/v2/users/{userId}", "users", "userDelete"),
    operation("GET", "/v2/users/summary", "users", "usersSummary"),
    operation("DELETE", "/v2/users/{userId}/assistants/{assistantId}", "users", "assistantDelete"),
    operation("GET", "/v2/past_meetings/{meetingId}", "meetings", "pastMeeting"),
    operation("GET", "/v2/phone/users", "phone", "phoneUsers"),
    operation("GET", "/scim2/Users", "scim2", "scimUsers"),
)
ANYBODY = caller_at("10.1.2.3")
UUID = "%252Fbcdefgh%252F%252Fklmnopqrstu%253D%253D".replace("tu%", "tuv%")


def policy(*rules: Rule, allow: bool = False) -> Policy:
    return Policy(rules, default_allows=allow, operations=TABLE)


def allow(*operations: str, **kinds: frozenset[str]) -> Rule:
    return Rule("yes", operations=operations, **kinds)  # type: ignore[arg-type]  # kinds that are sets


def deny(*operations: str, **kinds: frozenset[str]) -> Rule:
    return Rule("no", allows=False, operations=operations, **kinds)  # type: ignore[arg-type]  # as above


def decide(
    by: Policy,
    path: str,
    method: str = "GET",
    *,
    caller: Caller = ANYBODY,
    key: str | None = None,
    account: str = "default",
) -> Decision:
    return by.decide(caller, key, account, method, path.encode())


def test_the_first_rule_that_fits_decides() -> None:
    by = policy(deny("userDelete"), allow("product:users"), Rule("late", allows=False))
    assert decide(by, "/v2/users/x", "DELETE") == Decision(False, "no")
    assert decide(by, "/v2/users/x") == Decision(True, "yes")
    assert decide(by, "/v2/phone/users") == Decision(False, "late")


@pytest.mark.parametrize("allows", [True, False])
def test_where_none_fits_the_default_does(allows: bool) -> None:  # noqa: FBT001
    by = policy(allow("phoneUsers"), deny("userDelete"), allow=allows)
    assert decide(by, "/v2/users") == Decision(allows, DEFAULT)
    assert decide(policy(allow=allows), "/x") == Decision(allows, DEFAULT)


def test_a_policy_that_allows_everything_is_idle() -> None:
    assert policy(allow=True).idle
    assert policy(allow("user"), allow=True).idle
    assert not policy().idle
    assert not policy(deny("user"), allow=True).idle


def test_every_kind_must_fit() -> None:
    near = CallerMatch(networks=(network("10.0.0.0/8"),), keys=frozenset({"k"}))
    by = policy(Rule("yes", True, near, frozenset({"eu"}), frozenset({"GET"}), ("/v2/users/**",)))
    for address, key, account, method, path in product(
        ("10.0.0.1", "11.0.0.1"),
        ("k", None),
        ("eu", "us"),
        ("GET", "DELETE"),
        ("/v2/users/x", "/v2/x"),
    ):
        fits = (address, key, account, method, path) == (
            "10.0.0.1",
            "k",
            "eu",
            "GET",
            "/v2/users/x",
        )
        decision = decide(by, path, method, caller=caller_at(address), key=key, account=account)
        assert decision == (Decision(True, "yes") if fits else Decision(False, DEFAULT))


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        (allow("user"), ["GET", "HEAD"], ["DELETE", "OPTIONS", "PROPFIND", "get"]),
        (allow("/v2/users/**"), ["GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND"], []),
        (allow(methods=frozenset({"GET"})), ["GET", "HEAD"], ["DELETE", "OPTIONS", "PROPFIND"]),
        (allow(methods=frozenset({"HEAD"})), ["HEAD"], ["GET"]),
        (allow(methods=frozenset({"OPTIONS"})), [], ["OPTIONS"]),
    ],
)
def test_methods(rule: Rule, allowed: list[str], refused: list[str]) -> None:
    by = policy(rule)
    assert [m for m in (*allowed, *refused) if decide(by, "/v2/users/x", m).allowed] == allowed


def test_a_method_that_nobody_knows_may_be_any() -> None:
    by = policy(deny("userDelete"), allow=True)
    for method in ("DELETE", "OPTIONS", "PURGE", "delete"):
        assert decide(by, "/v2/users/x", method) == Decision(False, "no")
    assert decide(by, "/v2/users/x", "PUT").allowed


@pytest.mark.parametrize("entry", ["user", "/v2/users/{userId}"])
def test_a_template_leaves_to_others_what_is_theirs(entry: str) -> None:
    by = policy(allow(entry))
    assert decide(by, "/v2/users/abc").allowed
    assert decide(by, "/v2/users/abc/").allowed
    assert not decide(by, "/v2/users/summary").allowed
    assert not decide(by, "/v2/users/SUMMARY").allowed
    assert not decide(by, "/v2/users/summar%79").allowed
    assert decide(policy(allow("/v2/users/*")), "/v2/users/summary").allowed


@pytest.mark.parametrize("entry", ["/v2/groups/{groupId}", "/v2/groups/{gId}", "/v2/groups/{x}"])
def test_methods_of_a_path_may_name_its_parameters_differently(entry: str) -> None:
    table = (
        operation("GET", "/v2/groups/{groupId}", "groups", "group"),
        operation("DELETE", "/v2/groups/{gId}", "groups", "groupDelete"),
    )
    by = Policy([deny(entry)], default_allows=True, operations=table)
    for method in ("GET", "HEAD", "DELETE", "PATCH"):
        assert decide(by, "/v2/groups/x", method) == Decision(False, "no")
    assert not any(by.judges(["no"], one) for one in table)


def test_a_template_fits_methods_that_the_table_does_not_have() -> None:
    assert decide(policy(allow("/v2/users/{id}")), "/v2/users/summary", "PUT").allowed


@pytest.mark.parametrize(
    "path",
    [
        "/V2/Users/x",
        "/v2/users/x/../y",
        "/v2//users/x",
        "/v2/%75sers/x",
        "/v2/%2575sers/x",
        "/v2/phone;x/../users/x",
        "/v2\\users\\x",
    ],
)
def test_denials_are_about_every_reading(path: str) -> None:
    by = policy(deny("user"), allow=True)
    assert decide(by, path) == Decision(False, "no")
    assert not decide(policy(allow("user")), path).allowed or "%" in path


def test_allowances_regard_case_and_denials_do_not() -> None:
    by = policy(allow("/v2/users/AbC"))
    assert decide(by, "/v2/users/AbC").allowed
    assert not decide(by, "/v2/users/abc").allowed
    by = policy(deny("/v2/users/AbC"), allow=True)
    assert not decide(by, "/v2/users/aBc").allowed
    assert decide(policy(allow("scimUsers")), "/scim2/Users").allowed
    assert not decide(policy(allow("scimUsers")), "/scim2/users").allowed
    assert not decide(policy(deny("scimUsers"), allow=True), "/scim2/users").allowed
    # An id that looks like another operation is one to a server that regards case.
    assert not decide(policy(deny("user"), allow=True), "/v2/users/Summary").allowed


def test_a_meetings_uuid_is_one_segment() -> None:
    by = policy(allow("pastMeeting"))
    assert decide(by, f"/v2/past_meetings/{UUID}").allowed
    assert decide(by, f"/v2/past_meetings/{UUID.replace('%25', '%')}").allowed
    assert not decide(by, f"/v2/past_meetings/{UUID}/more").allowed
    assert not decide(by, "/v2/past_meetings/a%2Fb").allowed


def test_a_uuid_that_hides_an_operation_is_that_operation() -> None:
    hidden = "u%2Fassistants%2FAAAAAAAAA=="
    by = policy(allow("/v2/users/*"))
    assert not decide(by, f"/v2/users/{hidden}", "DELETE").allowed
    by = policy(deny("assistantDelete"), allow=True)
    assert decide(by, f"/v2/users/{hidden}", "DELETE") == Decision(False, "no")
    by = policy(allow("/v2/users/{userId}"), allow("/v2/users/{userId}/assistants/{id}"))
    assert decide(by, f"/v2/users/{hidden}", "DELETE").allowed


def test_a_uuid_that_hides_a_path_of_the_rules_is_that_path() -> None:
    by = policy(deny("/v2/past_meetings/*/secret/*"), allow=True)
    hidden = "u%2Fsecret%2FAAAAAAAAAAAAA=="
    assert decide(by, f"/v2/past_meetings/{hidden}") == Decision(False, "no")


def test_what_can_be_read_in_too_many_ways_is_refused() -> None:
    by = policy(deny("user"), allow=True)
    odd = "/v2/users/%2e%2e%3b/%5cphone%00%20/;/..;/%252e%252e/a"
    assert decide(by, odd) == Decision(False, SPELLING)
    whole = f"/v2/past_meetings/{UUID}/%2e%2e%3b/%5cphone%00%20/;/..;/%252e%252e/a"
    assert decide(by, whole) == Decision(False, SPELLING)


def test_rules_without_operations_do_not_look_at_paths() -> None:
    by = policy(deny(methods=frozenset({"DELETE"})), allow=True)
    assert decide(by, "/%2e%2e%3b/%5c%00%20/;/..;/%252e%252e/" * 30).allowed
    assert not decide(by, "/x", "DELETE").allowed


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_module, "REMEMBERED", 8)
    rules = [
        Rule(
            f"r{n}", callers=CallerMatch(keys=frozenset({f"k{n}"})), operations=("user", "/v2/x/*")
        )
        for n in range(20)
    ]
    by = policy(*rules)
    for _ in range(2):
        for n in range(20):
            assert decide(by, f"/v2/users/u{n}", key=f"k{n}") == Decision(True, f"r{n}")
            assert not decide(by, f"/v2/users/u{n}", key="none").allowed
            for method in ("GET", "PUT", "POST"):
                assert decide(by, f"/v2/x/{n}", method, key="k1").allowed
                decide(by, f"/v2/users/{n}", method, key="k1")
            assert decide(by, f"/v2/users/{'u' * 300}{n}", key=f"k{n}").allowed
    assert max(len(by._calls), len(by._groups), len(by._shared)) <= 8
    for n in range(20):
        decide(by, "/v2/users/x" if n % 2 else "/v2/y", f"M{n}", key="k1")
    assert all(len(group._decisions) <= 8 for group in by._shared.values())


SEGMENTS = st.sampled_from(
    [
        "v2",
        "V2",
        "users",
        "Users",
        "summary",
        "SUMMARY",
        "assistants",
        "phone",
        "x",
        "7",
        "a@b.c",
        "past_meetings",
        "*",
        "**",
        "scim2",
        "special",
        "Special",
        "a.json",
    ]
)
PATHS = st.tuples(st.lists(SEGMENTS, min_size=1, max_size=6), st.sampled_from(["", "/", "//"])).map(
    lambda parts: f"/{'/'.join(parts[0])}{parts[1]}"
)
PAGES = (
    deny("/v2/users/special", "userDelete"),
    allow("/v2/users/{userId}", "/v2/*/users", "/scim2/**"),
    Rule("late", methods=frozenset({"DELETE"}), operations=("/v2/Special/**",)),
)


@given(st.lists(st.tuples(PATHS, st.sampled_from(["GET", "HEAD", "DELETE", "POST", "ODD"]))))
def test_a_path_is_decided_about_as_if_it_came_first(calls: list[tuple[str, str]]) -> None:
    shared = Shapes()
    by = Policy(PAGES, default_allows=False, operations=TABLE, shapes=shared)
    shared.add(["7", "x"])
    for path, method in calls:
        assert decide(by, path, method) == decide(policy(*PAGES), path, method)


def test_paths_of_one_shape_are_decided_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    by = policy(*PAGES)
    assert decide(by, "/v2/users/1") == Decision(True, "yes")
    monkeypatch.setattr(by, "_decide", None)
    assert decide(by, "/v2/users/2") == Decision(True, "yes")


def test_a_thousand_rules_are_found_by_their_paths() -> None:
    rules = [
        Rule(f"r{n}", allows=n % 2 == 0, operations=(f"/v2/a{n}/{{id}}/**",)) for n in range(1000)
    ]
    by = policy(*rules, Rule("last", operations=("product:users",)))
    began = time.perf_counter()
    for n in range(1000):
        assert decide(by, f"/v2/a{n}/x/y").allowed is (n % 2 == 0)
    assert decide(by, "/v2/users/x") == Decision(True, "last")
    # Microseconds each, with room for a busy machine.
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize(
    ("rules", "account", "decision"),
    [
        ((allow("user"),), None, Decision(True, "yes")),
        ((deny("user"),), None, Decision(False, DEFAULT)),
        ((deny(), Rule("late")), None, Decision(False, "no")),
        ((deny(methods=frozenset({"GET"})), Rule("late")), None, Decision(True, "late")),
        ((deny(accounts=frozenset({"eu"})), Rule("late")), None, Decision(True, "late")),
        ((deny(accounts=frozenset({"eu"})), Rule("late")), "eu", Decision(False, "no")),
        ((allow(accounts=frozenset({"eu"})),), "us", Decision(False, DEFAULT)),
        ((allow(accounts=frozenset({"eu"})),), None, Decision(True, "yes")),
        ((Rule("k", callers=CallerMatch(keys=frozenset({"k"}))),), None, Decision(False, DEFAULT)),
    ],
)
def test_whether_anything_may_be_called(
    rules: tuple[Rule, ...], account: str | None, decision: Decision
) -> None:
    assert policy(*rules).may_call(ANYBODY, None, account) == decision


def test_operations_of_the_table_judged_by_some_rules() -> None:
    by = policy(
        deny("userDelete"), allow("/v2/users/{userId}"), Rule("late", operations=("phone",))
    )
    judged = {one.operation_id for one in TABLE if by.judges(["no", "yes"], one)}
    assert judged == {"user"}
    assert by.judges(["late"], TABLE[6])
    assert by.judges(["yes"], TABLE[2])
