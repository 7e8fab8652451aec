"""`access.rules`, `access.keys` and what belongs to them."""

import json
from pathlib import Path

import pytest

from gateway.settings import Settings
from tests.settings.configured import SECRET, SHORT, problem, problems, settings

KEY = SECRET * 2


def with_rule(rule: dict[str, object], **access: object) -> str:
    return json.dumps({"access": {"rules": [{"name": "one", **rule}], **access}})


def test_nothing_is_asked_for_by_default() -> None:
    access = settings().access
    assert (access.default, access.key_header) == ("allow", "X-Zoom-Gateway-Key")
    assert (access.keys, access.rules) == ({}, ())


def test_a_whole_rule() -> None:
    text = """
access:
  default: DENY
  keys:
    reports: {key: %s}
  rules:
    - name: reports
      action: Allow
      callers:
        networks: [10.0.0.0/8, "fd00::/8", 192.0.2.7, unix]
        certificates: ["spiffe://cluster.local/ns/reports/*", "dns:*.reports.test"]
        keys: [reports]
      accounts: [default]
      methods: [get, POST]
      operations: ["/v2/users/{userId}", /v2/meetings/**, meetingCreate, "product:users", phone]
"""
    access = settings(text % KEY).access
    [rule] = access.rules
    assert (access.default, rule.action) == ("deny", "allow")
    assert rule.methods == ("GET", "POST")
    assert rule.callers.networks == ("10.0.0.0/8", "fd00::/8", "192.0.2.7", "unix")
    assert access.keys["reports"].current().reveal() == KEY


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ({"accounts": ["defualt"]}, "accounts: item 1 is no account: did you mean default?"),
        ({"accounts": ["zzz"]}, "accounts: item 1 is no account: configured here: default"),
        (
            {"callers": {"keys": ["report"]}},
            "callers.keys: item 1 is no key: did you mean reports?",
        ),
        (
            {"operations": ["/v2/users", "meetingCraete"]},
            (
                "operations: item 2 names no operation and no product of Zoom's:"
                " did you mean meetingCreate?"
            ),
        ),
        (
            {"operations": ["GET /v2/users"]},
            (
                "operations: item 1 names no operation and no product of Zoom's:"
                " say /v2/users alone; methods have a key of their own (methods)"
            ),
        ),
        (
            {"operations": ["https://api.zoom.us/v2/users/*"]},
            "operations: item 1 names no operation and no product of Zoom's: say /v2/users/* alone",
        ),
        (
            {"operations": ["product:Phone"]},
            (
                "operations: item 1 names no operation and no product of Zoom's:"
                " did you mean product:phone?"
            ),
        ),
        (
            {"operations": ["meetings"]},
            (
                "operations: item 1 is both a product and an operation: say product:meetings or"
                " operation:meetings"
            ),
        ),
        ({"operations": ["zz*"]}, "operations: item 1 names no operation and no product of Zoom's"),
        ({"operations": []}, "operations: names nothing, and so nobody"),
        ({"callers": {"networks": []}}, "callers.networks: names nothing, and so nobody"),
        (
            {"callers": {"networks": ["unix", "10.0.0.1/8"]}},
            "callers.networks: item 2 has bits set behind its length: did you mean 10.0.0.0/8?",
        ),
        ({"callers": {"networks": ["ten"]}}, "callers.networks: item 1 is no network"),
        (
            {"callers": {"certificates": ["spiffe://*/ns/x"]}},
            "callers.certificates: item 1 is no name in a certificate",
        ),
        ({"methods": ["GET", "GTE"]}, "methods: item 2 is none of DELETE, GET"),
        ({"action": "block"}, "action: must be allow or deny"),
        ({"calers": {}}, "calers: is not a key: did you mean callers?"),
        ({"callers": {"network": []}}, "callers.network: is not a key: did you mean networks?"),
        ({"operations": "phone"}, "operations: must be a list of paths and operations"),
        ({"name": "default"}, "name: is reserved"),
        ({"name": "two words"}, "name: must be 1 to 63 letters"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_with_what_would_be_right(
    rule: dict[str, object], line: str
) -> None:
    told = problem(with_rule(rule, keys={"reports": {"key": KEY}}))
    assert told.startswith(f"access.rules[0].{line}"), told


def test_a_path_that_is_none() -> None:
    told = problem(with_rule({"operations": ["/v2/%75sers"]}))
    assert "access.rules[0].operations: item 1 is no path" in told


def test_no_key_is_configured() -> None:
    told = problem(with_rule({"callers": {"keys": ["reports"]}}))
    assert told == "access.rules[0].callers.keys: item 1 is no key: none is configured"


def test_all_problems_at_once() -> None:
    text = json.dumps(
        {
            "access": {
                "rules": [{"name": "a", "accounts": ["x"]}, {"name": "a"}, {"action": "allow"}]
            }
        }
    )
    told = problems(text)
    assert [line.split(":")[0] for line in told] == [
        "access.rules[1].name",
        "access.rules[0].accounts",
        "access.rules[2].name",
    ]
    assert "is the same as that of rules[0]" in told[0]


@pytest.mark.parametrize(
    "access",
    [
        {"rules": "none"},
        {"rules": ["none"]},
        {"rules": [{"name": 1, "callers": [], "accounts": 1}]},
    ],
)
def test_another_shape_is_the_models_to_tell(access: object) -> None:
    assert problems(json.dumps({"access": access}))


def test_a_hundred_rules_and_more_are_told_apart() -> None:
    rules = [{"name": f"r{n}"} for n in range(400)]
    rules[150] = {"name": "r150", "action": "x"}
    assert problem(json.dumps({"access": {"rules": rules}})) == (
        "access.rules[150].action: must be allow or deny"
    )


# Keys.


def test_a_key_in_a_file_is_read_afresh(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    key = settings(json.dumps({"access": {"keys": {"a": {"key_file": str(file)}}}})).access.keys[
        "a"
    ]
    assert key.current().reveal() == KEY
    file.write_text("z" * 16)
    assert key.current().reveal() == "z" * 16


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ({"key": "short"}, "access.keys.a.key: is too short: take at least 16"),
        ({"key": f"{SECRET} {SECRET}"}, "access.keys.a.key: must be printable ASCII"),
        ({"key": "..."}, "access.keys.a.key: is a placeholder"),
        ({}, "access.keys.a.key: is missing: set it or key_file"),
        ({"key": KEY, "key_file": "{file}"}, "access.keys.a.key_file: is one too many"),
        ({"key_file": "/nowhere/key"}, "access.keys.a.key_file: /nowhere/key cannot be read"),
        ({"key_file": "{short}"}, "access.keys.a.key_file: is too short"),
        ({"kye": KEY}, "access.keys.a.kye: is not a key: did you mean key?"),
    ],
)
def test_what_is_wrong_with_a_key(key: dict[str, str], line: str, tmp_path: Path) -> None:
    files = {"{file}": tmp_path / "file", "{short}": tmp_path / "short"}
    files["{file}"].write_text(KEY)
    files["{short}"].write_text("short")
    made = {name: str(files.get(text, text)) for name, text in key.items()}
    told = problems(json.dumps({"access": {"keys": {"a": made}}}))
    assert any(one.startswith(line) for one in told), told


def test_two_keys_that_are_the_same() -> None:
    told = problem(json.dumps({"access": {"keys": {"a": {"key": KEY}, "b": {"key": KEY}}}}))
    assert told == "access.keys: b.key is the same key as that of a: it must differ"


def test_a_keys_name() -> None:
    assert "a key's name has" in problem(json.dumps({"access": {"keys": {"A B": {"key": KEY}}}}))


@pytest.mark.parametrize("name", ["Host", "x-zoom-account", "two words", "Content-Type", ""])
def test_a_field_that_can_carry_no_key(name: str) -> None:
    assert "access.key_header" in problem(json.dumps({"access": {"key_header": name}}))


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key"])
def test_a_field_that_can(name: str) -> None:
    assert settings(json.dumps({"access": {"key_header": name}})).access.key_header == name


def test_no_key_is_shown() -> None:
    loaded = settings(json.dumps({"access": {"keys": {"a": {"key": KEY}}}}))
    assert KEY not in repr(loaded) + str(loaded.describe())
    assert loaded.describe()["access"]["keys"] == {"a": {"key": "***"}}


# The environment.


def of_environment(text: str | None = None, **variables: str) -> Settings:
    return settings(
        text, {**SHORT, **{f"ZOOM_GATEWAY_ACCESS__{n}": v for n, v in variables.items()}}
    )


def test_rules_in_the_environment() -> None:
    loaded = of_environment(
        DEFAULT="deny",
        RULES__0__NAME="one",
        RULES__0__CALLERS__NETWORKS='["10.0.0.0/8"]',
        RULES__1__NAME="two",
        RULES__1__OPERATIONS='["phone"]',
        KEYS__REPORTS__KEY=KEY,
    ).access
    assert [one.name for one in loaded.rules] == ["one", "two"]
    assert loaded.rules[0].callers.networks == ("10.0.0.0/8",)
    assert loaded.keys["reports"].current().reveal() == KEY


def test_the_environment_changes_single_keys_of_the_files_rules() -> None:
    text = with_rule({"operations": ["phone"]})
    loaded = of_environment(text, RULES__0__ACTION="deny").access.rules
    assert [(one.name, one.action, one.operations) for one in loaded] == [
        ("one", "deny", ("phone",))
    ]
    whole = of_environment(text, RULES='[{"name": "other"}]').access.rules
    assert [one.name for one in whole] == ["other"]


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ({}, "would give the token to anybody"),
        ({"callers": {}}, "would give the token to anybody"),
        ({"callers": {"networks": ["::/0", "10.0.0.0/8"]}}, "would give the token to anybody"),
        (
            {"callers": {"networks": ["0.0.0.0/1", "128.0.0.0/1"]}},
            "would give the token to anybody",
        ),
        ({"callers": {"networks": ["unix"]}, "action": "deny"}, "only allows"),
        ({"callers": {"networks": ["unix"]}, "methods": ["GET"]}, "is about no call"),
        ({"callers": {"networks": ["unix"]}, "operations": ["user"]}, "is about no call"),
    ],
)
def test_the_real_token_is_for_callers_who_are_named(rule: dict[str, object], line: str) -> None:
    found = problem(with_rule({**rule, "real_token": True}))
    assert found.startswith(f"access.rules[0].real_token: {line}")


def test_a_rule_for_the_real_token() -> None:
    text = with_rule({"real_token": True, "callers": {"networks": ["10.0.0.0/8"]}})
    [rule] = settings(text).access.rules
    assert rule.real_token
    assert not settings(text).oauth.real_token
