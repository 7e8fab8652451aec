import pytest

from gateway.core.caller import caller_at
from gateway.core.caller_match import CallerMatch, name_pattern, network
from gateway.core.policy import Rule
from gateway.core.token_rights import TokenRights, fits_anybody

ROBOT = CallerMatch(keys=frozenset({"robot"}))
NEAR = CallerMatch(networks=(network("10.0.0.0/8"),))
CALLER = caller_at("10.1.2.3")


def real(name: str = "real", callers: CallerMatch = ROBOT, *accounts: str) -> Rule:
    return Rule(name, callers=callers, accounts=frozenset(accounts), real_token=True)


def deny(callers: CallerMatch, *accounts: str, **kinds: frozenset[str]) -> Rule:
    return Rule("no", allows=False, callers=callers, accounts=frozenset(accounts), **kinds)  # type: ignore[arg-type]  # kinds that are sets


def test_nobody_has_it_whom_no_rule_names() -> None:
    for rules in ((), (Rule("all"),), (Rule("allows", callers=ROBOT),)):
        assert TokenRights(rules).rule_for(CALLER, "robot", "default") is None
    rights = TokenRights([real()])
    assert rights.rule_for(CALLER, "robot", "default") == "real"
    assert rights.rule_for(CALLER, None, "default") is None
    assert rights.rule_for(CALLER, "other", "default") is None


def test_a_rule_may_be_about_some_accounts() -> None:
    rights = TokenRights([real("eu", ROBOT, "eu")])
    assert rights.rule_for(CALLER, "robot", "eu") == "eu"
    assert rights.rule_for(CALLER, "robot", "us") is None
    # Which account it will be is not known yet.
    assert rights.rule_for(CALLER, "robot", None) == "eu"


def test_who_is_denied_everything_before_has_none() -> None:
    assert TokenRights([deny(NEAR), real()]).rule_for(CALLER, "robot", "default") is None
    assert TokenRights([real(), deny(NEAR)]).rule_for(CALLER, "robot", "default") == "real"
    # What denies some calls says nothing of the token.
    for kinds in ({"methods": frozenset({"DELETE"})}, {"operations": frozenset({"userDelete"})}):
        rights = TokenRights([deny(NEAR, **kinds), real()])
        assert rights.rule_for(CALLER, "robot", "default") == "real"
    far = deny(CallerMatch(networks=(network("192.0.2.0/24"),)))
    assert TokenRights([far, real()]).rule_for(CALLER, "robot", "default") == "real"


def test_a_denial_of_some_accounts() -> None:
    rights = TokenRights([deny(NEAR, "eu"), real()])
    assert rights.rule_for(CALLER, "robot", "eu") is None
    assert rights.rule_for(CALLER, "robot", "us") == "real"
    assert rights.rule_for(CALLER, "robot", None) == "real"


@pytest.mark.parametrize(
    ("callers", "anybody"),
    [
        (CallerMatch(), True),
        (CallerMatch(networks=(network("0.0.0.0/0"),)), True),
        (CallerMatch(networks=(network("10.0.0.0/8"), network("::/0"))), True),
        (CallerMatch(networks=(network("0.0.0.0/1"), network("128.0.0.0/1"))), True),
        (CallerMatch(networks=(network("::/1"), network("8000::/1"))), True),
        (CallerMatch(networks=(network("0.0.0.0/1"), network("8000::/1"))), False),
        (CallerMatch(networks=(network("10.0.0.0/8"),)), False),
        (CallerMatch(networks=(network("0.0.0.0/0"),), keys=frozenset({"a"})), False),
        (CallerMatch(certificates=(name_pattern("dns:*.reports.test"),)), False),
        (CallerMatch(unix=True), False),
        (ROBOT, False),
    ],
)
def test_what_names_nobody(callers: CallerMatch, *, anybody: bool) -> None:
    assert fits_anybody(callers) is anybody
