"""What rules come to, and what is wrong with them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.doctor.bench import Checked, account, check, faked, said
from tests.stores.certificates import Authority
from tests.support.processes import credentials, simulator

KEY = "canary-key-0123456789abcdef"

REPORTS: dict[str, Any] = {
    "name": "reports",
    "callers": {"keys": ["reports"]},
    "operations": ["/v2/users/{userId}", "product:phone"],
}


@pytest.fixture
def dead() -> dict[str, str]:
    """Zoom cannot be reached: the rules are looked at all the same."""
    names = faked(api_zoom_us="EAI_NONAME", zoom_us="EAI_NONAME")
    return {**account("https://api.zoom.us", "https://zoom.us"), **names}


@pytest.fixture
async def sim() -> AsyncIterator[str]:
    async with simulator() as url:
        yield url


def access(*rules: dict[str, Any], default: str = "deny") -> dict[str, str]:
    keys = {"reports": {"key": KEY}} if any("callers" in rule for rule in rules) else {}
    made = {"rules": list(rules), "keys": keys, "default": default}
    return {f"ZOOM_GATEWAY_ACCESS__{name.upper()}": text(value) for name, value in made.items()}


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def test_nothing_is_said_where_everybody_may_call_everything(dead: dict[str, str]) -> None:
    found = await check(**dead)
    assert found.lacks("access_rights", "rules_idle", "keys_in_clear")


def sentences(found: Checked, code: str) -> list[str]:
    return [one["sentence"] for one in found.all(code)]


async def test_who_may_use_what(dead: dict[str, str]) -> None:
    found = await check(**dead, **access(REPORTS))
    assert sentences(found, "access_rights") == [
        "Callers with the key reports may use 357 of 1750 operations: phone 354, users 3.",
        "All other callers may use 0 of 1750 operations.",
    ]
    details = found.one("access_rights")["details"]
    assert details == {"products": {"phone": 354, "users": 3}, "count": 357}
    assert KEY not in found.stdout + found.stderr


async def test_every_operation_by_name(dead: dict[str, str]) -> None:
    rule = {"name": "all", "operations": ["meetingCreate", "userAssistantDelete"]}
    found = await check("--rules", **dead, **access(rule))
    first = found.one("access_rights")
    assert first["sentence"].startswith("All callers may use 2 of")
    assert sorted(first["details"]["operations"]) == [
        "DELETE /v2/users/{userId}/assistants/{assistantId} (userAssistantDelete)",
        "POST /v2/users/{userId}/meetings (meetingCreate)",
    ]
    words = await said("--rules", **dead, **access(rule))
    assert "\n            POST /v2/users/{userId}/meetings (meetingCreate)\n" in words.stdout


async def test_accounts_are_told_apart_where_rules_do(dead: dict[str, str]) -> None:
    rule = {"name": "one", "accounts": ["default"], "operations": ["meetingCreate"]}
    more = {
        "ZOOM_GATEWAY_ACCOUNTS__OTHER__ACCOUNT_ID": "a",
        "ZOOM_GATEWAY_ACCOUNTS__OTHER__APPS": '[{"client_id": "c", "client_secret": "s"}]',
    }
    found = await check(**dead, **more, **access(rule))
    assert sorted(sentences(found, "access_rights")) == [
        "All callers may use 0 of 1750 operations of account other.",
        "All callers may use 1 of 1750 operations of account default: meetings 1.",
    ]


async def test_rules_that_do_nothing(dead: dict[str, str]) -> None:
    found = await check(**dead, **access({"name": "a"}, {"name": "b"}, default="allow"))
    assert found.one("rules_idle")["details"] == {"rules": ["a", "b"]}
    assert found.one("rule_shadowed")["details"] == {"rule": "b", "by": "a"}
    assert found.one("rule_shadowed")["about"] == "access.rules[1]"
    assert found.exit_code == 1


async def test_networks_behind_loopback(dead: dict[str, str]) -> None:
    networks = [["10.0.0.0/8"], ["127.0.0.0/8", "::1"], ["unix"], ["0.0.0.0/0"]]
    rules = access(
        *({"name": f"r{n}", "callers": {"networks": one}} for n, one in enumerate(networks))
    )
    found = await check(**dead, **rules)
    assert [one["about"] for one in found.all("rule_networks_loopback")] == [
        "access.rules[0].callers"
    ]
    everywhere = {"ZOOM_GATEWAY_LISTEN__HOST": "0.0.0.0"}
    assert (await check(**dead, **everywhere, **rules)).lacks("rule_networks_loopback")


async def test_keys_in_clear_and_keys_of_no_rule(dead: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o644)
    key = {"ZOOM_GATEWAY_ACCESS__KEYS__OLD__KEY_FILE": str(file)}
    found = await check(**dead, **key, ZOOM_GATEWAY_LISTEN__HOST="0.0.0.0")
    assert found.one("keys_unused")["details"] == {"keys": ["old"]}
    assert found.one("keys_in_clear")["level"] == "warning"
    assert found.one("file_exposed")["about"] == str(file)
    assert (await check(**dead, **key)).lacks("keys_in_clear")


async def test_what_the_listener_makes_of_rules_and_keys(
    dead: dict[str, str], tmp_path: Path
) -> None:
    rules = access(
        REPORTS,
        {"name": "near", "callers": {"networks": ["127.0.0.1"]}},
        {"name": "own", "callers": {"certificates": ["spiffe://mesh.test/*"]}},
    )
    everywhere = {**dead, **rules, "ZOOM_GATEWAY_LISTEN__HOST": "0.0.0.0"}
    found = await check(**everywhere, ZOOM_GATEWAY_LISTEN__SOCKET=str(tmp_path / "p.sock"))
    assert found.lacks("keys_in_clear")
    assert found.one("rule_networks_loopback")["details"] == {"rule": "near"}
    unasked = found.one("rule_certificates_unasked")
    assert (unasked["about"], unasked["level"]) == ("access.rules[2].callers", "warning")
    assert "tls.client_ca_file" in unasked["advice"]
    ca = Authority(tmp_path)
    issued = ca.issue("gateway.test")
    issued.key.chmod(0o600)
    tls = {"certificate_file": issued.certificate, "key_file": issued.key}
    tls["client_ca_file"] = ca.file
    asking = {f"ZOOM_GATEWAY_TLS__{name.upper()}": str(path) for name, path in tls.items()}
    assert (await check(**everywhere, **asking)).lacks("rule_certificates_unasked", "keys_in_clear")


async def test_listening_everywhere_with_rules(dead: dict[str, str]) -> None:
    everywhere = {"ZOOM_GATEWAY_LISTEN__HOST": "0.0.0.0"}
    anybody = {"name": "anybody", "operations": ["meetingCreate", "user"]}
    words = await said(**dead, **everywhere, **access(REPORTS))
    assert "\nnotice   listen takes calls on all" in words.stdout
    assert "; the rules let nobody in whom they do not name by key" in words.stdout
    for rules, level, operations in (
        (access(REPORTS, anybody), "warning", 2),
        (access({"name": "no", "action": "deny", "operations": ["user"]}, default="allow"),
         "warning", 1749),
    ):  # fmt: skip
        one = (await check(**dead, **everywhere, **rules)).one("listens_everywhere", "listen")
        assert (one["level"], one["details"]) == (level, {"usable": operations})
        assert not operations or f"may use {operations} operations, without" in one["sentence"]


async def test_scopes_that_the_token_lacks(sim: str) -> None:
    found = await check("--mint", **credentials(sim), **access(REPORTS))
    lacking = found.one("access_scopes")
    assert lacking["level"] == "notice"
    assert lacking["about"] == "accounts.default"
    assert lacking["sentence"].startswith("Callers with the key reports may use ")
    counts = lacking["details"]["products"]
    assert lacking["details"]["count"] == sum(counts.values())
    # The simulator's token may read users, and the table knows no scopes of the telephone's.
    assert counts == {"users": 2}
    assert "user:delete:user:admin" in lacking["details"]["scopes"]
    assert found.exit_code == 0
    found = await check("--mint", **credentials(sim))
    assert found.lacks("access_scopes")
