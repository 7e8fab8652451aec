import pytest

from gateway.core.caller_match import CallerMatch, network
from gateway.core.policy import Policy, Rule
from gateway.core.rights import profiles, rights, shadowed
from gateway.core.routes import Operation

TABLE = (
    Operation("/v2/users", "GET", "users", "users", None, ()),
    Operation("/v2/users/{userId}", "GET", "users", "user", None, ()),
    Operation("/v2/users/{userId}", "DELETE", "users", "userDelete", None, ()),
    Operation("/v2/phone/users", "GET", "phone", "phoneUsers", None, ()),
)
K = CallerMatch(keys=frozenset({"k"}))
NEAR = CallerMatch(networks=(network("10.0.0.0/8"),))


def policy(*rules: Rule) -> Policy:
    return Policy(rules, default_allows=False, operations=TABLE)


def test_profiles_are_the_callers_that_rules_tell_apart() -> None:
    first, second = Rule("a", callers=K), Rule("b", callers=K)
    by = policy(first, second, Rule("c"), Rule("d", callers=NEAR))
    found = profiles(by.rules)
    assert [one.callers for one in found] == [K, NEAR, CallerMatch()]
    assert [one.rule.name if one.rule else None for one in found] == ["a", "d", None]


def test_rights_come_from_the_rules_that_surely_fit() -> None:
    by = policy(
        Rule("no", allows=False, operations=("userDelete",)),
        Rule("k", callers=K, operations=("product:users",)),
        Rule("near", callers=NEAR, operations=("phone",)),
        Rule("eu", accounts=frozenset({"eu"}), operations=("phone",)),
    )

    def names(callers: CallerMatch, account: str = "us") -> list[str]:
        return [one.operation_id for one in rights(by, callers, account, TABLE)]

    assert names(K) == ["users", "user"]
    assert names(NEAR) == ["phoneUsers"]
    assert names(CallerMatch()) == []
    assert names(K, "eu") == ["users", "user", "phoneUsers"]


GET = frozenset({"GET"})
EU = frozenset({"eu"})


@pytest.mark.parametrize(
    ("early", "late", "answer"),
    [
        (Rule("a"), Rule("b"), True),
        (Rule("a"), Rule("b", callers=K), True),
        (Rule("a", callers=K), Rule("b"), False),
        (Rule("a", accounts=EU), Rule("b", accounts=EU), True),
        (Rule("a", accounts=EU), Rule("b", accounts=frozenset({"us"})), False),
        (Rule("a", accounts=EU), Rule("b"), False),
        (Rule("a", methods=GET), Rule("b", methods=frozenset({"HEAD"})), True),
        (Rule("a", methods=GET), Rule("b", methods=frozenset({"PUT"})), False),
        (Rule("a", methods=GET), Rule("b"), False),
        (Rule("a", methods=GET), Rule("b", operations=("user",)), True),
        (Rule("a", methods=GET), Rule("b", operations=("product:users",)), False),
        (Rule("a", methods=GET), Rule("b", operations=("/v2/users/**",)), False),
        (Rule("a", operations=("/v2/**",)), Rule("b", operations=("/v2/users/*",)), True),
        (Rule("a", operations=("/v2/**",)), Rule("b", operations=("user",)), True),
        (Rule("a", operations=("/v2/users/{id}",)), Rule("b", operations=("user",)), True),
        (
            Rule("a", operations=("/v2/users/{id}",)),
            Rule("b", operations=("operation:users", "user")),
            False,
        ),
        (Rule("a", operations=("product:users",)), Rule("b", operations=("user",)), True),
        (Rule("a", operations=("user",)), Rule("b", operations=("product:users",)), False),
        (Rule("a", operations=("user",)), Rule("b", operations=("/v2/users/{id}",)), False),
        (Rule("a", operations=("user",)), Rule("b"), False),
        (Rule("a"), Rule("b", operations=("user",)), True),
    ],
)
def test_a_rule_that_never_decides(early: Rule, late: Rule, answer: bool) -> None:  # noqa: FBT001
    found = list(shadowed(policy(early, late).rules))
    assert found == ([(late, early)] if answer else [])
