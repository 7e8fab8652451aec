"""What rules come to, and what is wrong with them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.cli.doctor.bench import Checked, account, check, faked, said
from tests.stores.certificates import Authority
from tests.support.load import control
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
def certified(tmp_path: Path) -> dict[str, str]:
    """TLS, and certificates of callers if they have one."""
    ca = Authority(tmp_path)
    own = ca.issue("gateway.test")
    own.key.chmod(0o600)
    return {
        "ZOOM_GATEWAY_TLS__CERTIFICATE_FILE": str(own.certificate),
        "ZOOM_GATEWAY_TLS__KEY_FILE": str(own.key),
        "ZOOM_GATEWAY_TLS__CLIENT_CA_FILE": str(ca.file),
        "ZOOM_GATEWAY_TLS__CLIENT_CERTIFICATES": "optional",
    }


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


async def test_paths_that_fit_no_operation(dead: dict[str, str]) -> None:
    known = [
        "/**",
        "/v2/**",
        "/v2/users/*",
        "/V2/Users/{userId}/meetings",
        "/v2/*/me",
        "/_hosts/*/rec/**",
    ]
    unknown = ["/users/**", "/v2/users/*/*/*/*/*/*", "/v2/userz"]
    rules = access({"name": "a", "operations": known}, {"name": "b", "operations": unknown})
    found = await check(**dead, **rules)
    assert found.one("rule_paths_unknown")["details"] == {"rule": "b", "paths": unknown}
    assert found.one("rule_paths_unknown")["about"] == "access.rules[1].operations"


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


async def test_rules_for_callers_that_nobody_can_be(
    dead: dict[str, str], tmp_path: Path, certified: dict[str, str]
) -> None:
    networks = ["unix", "127.0.0.0/8"]
    rules = access(
        {"name": "reports", "callers": {"certificates": ["spiffe://cluster.local/ns/reports/*"]}},
        {"name": "pod", "callers": {"networks": ["unix"]}},
        {"name": "both", "callers": {"networks": networks}},
    )
    found = await check(**dead, **rules)
    assert found.one("rule_certificates_unseen")["about"] == "access.rules[0].callers"
    assert found.one("rule_socket_unused")["details"] == {"rule": "pod"}
    assert (await check(**dead, **rules, **certified)).lacks("rule_certificates_unseen")
    socket = {"ZOOM_GATEWAY_LISTEN__SOCKET": str(tmp_path / "p.sock")}
    assert (await check(**dead, **rules, **socket)).lacks("rule_socket_unused")


async def test_a_door_that_is_shut(dead: dict[str, str]) -> None:
    found = await check(**dead, **access())
    assert found.one("access_denies_all")["level"] == "warning"
    denying = {"name": "r", "action": "deny", "methods": ["GET"]}
    assert (await check(**dead, **access(denying))).one("access_denies_all")
    assert (await check(**dead, **access(REPORTS))).lacks("access_denies_all")


async def test_who_must_show_a_key_is_not_let_in_by_reaching_it(dead: dict[str, str]) -> None:
    everywhere = {"ZOOM_GATEWAY_LISTEN__HOST": "0.0.0.0"}
    for rules, warned in (
        (access(REPORTS), False),
        (access(REPORTS, default="allow"), True),
        (access(REPORTS, {"name": "readers", "methods": ["GET"]}), True),
        (access({"name": "here", "callers": {"networks": ["10.0.0.0/8"]}}), False),
        (access({"name": "all", "callers": {"networks": ["10.0.0.0/8", "::/0"]}}), True),
    ):
        found = await check(**dead, **everywhere, **rules)
        levels = {one["about"]: one["level"] for one in found.all("listens_everywhere")}
        assert (levels.get("listen") == "warning") is warned, rules


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


async def test_scopes_that_do_not_tell(sim: str) -> None:
    async with aiohttp.ClientSession() as client:
        await control(client, sim, "config", {"scope": "user:read:admin meeting:write"})
    found = await check("--mint", **credentials(sim), **access(REPORTS))
    unclear = found.one("access_scopes_unclear")
    assert (unclear["level"], unclear["about"]) == ("notice", "accounts.default")
    assert found.lacks("access_scopes")


async def test_keys_under_tls_are_not_in_clear(
    dead: dict[str, str], certified: dict[str, str]
) -> None:
    everywhere = {"ZOOM_GATEWAY_LISTEN__HOST": "0.0.0.0"}
    found = await check(**dead, **everywhere, **access(REPORTS), **certified)
    assert found.lacks("keys_in_clear")


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
    unasked = found.one("rule_certificates_unseen")
    assert (unasked["about"], unasked["level"]) == ("access.rules[2].callers", "warning")
    assert "tls.client_ca_file" in unasked["advice"]
    ca = Authority(tmp_path)
    issued = ca.issue("gateway.test")
    issued.key.chmod(0o600)
    tls = {"certificate_file": issued.certificate, "key_file": issued.key}
    tls["client_ca_file"] = ca.file
    asking = {f"ZOOM_GATEWAY_TLS__{name.upper()}": str(path) for name, path in tls.items()}
    assert (await check(**everywhere, **asking)).lacks("rule_certificates_unseen", "keys_in_clear")


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


async def test_who_gets_the_real_token(dead: dict[str, str], certified: dict[str, str]) -> None:
    rule = {"name": "socket", "real_token": True, "callers": {"keys": ["reports"]}}
    on = {"ZOOM_GATEWAY_OAUTH__REAL_TOKEN": "true"}
    found = await check(**dead, **access(rule, default="allow"))
    off = found.one("real_token_off")
    assert (off["level"], off["details"]) == ("notice", {"rules": ["socket"]})
    assert found.lacks("real_token", "rules_idle", "access_rights", "keys_unused")
    found = await check(**dead, **access(rule), **on)
    told = found.one("real_token")
    assert told["sentence"] == (
        "Callers with the key reports get the real token of every account, with all that the app "
        "may do (rule socket)."
    )
    assert told["level"] == "notice"
    assert found.one("access_denies_all")
    assert found.lacks("real_token_in_clear", "real_token_off", "real_token_unused")
    everywhere = {**on, "ZOOM_GATEWAY_LISTEN__HOST": "0.0.0.0"}
    found = await check(**dead, **access(REPORTS, rule), **everywhere)
    assert found.one("real_token_in_clear")["level"] == "warning"
    found = await check(**dead, **access(REPORTS, rule), **everywhere, **certified)
    assert found.lacks("real_token_in_clear")
    found = await check(**dead, **access(REPORTS), **on)
    assert found.one("real_token_unused")["level"] == "warning"
    assert (await check(**dead)).lacks("real_token", "real_token_off", "real_token_unused")
