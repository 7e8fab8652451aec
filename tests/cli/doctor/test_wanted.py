"""`check --for`: which scopes the token lacks for what is wanted."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.cli.doctor.bench import check, said
from tests.support.load import control
from tests.support.processes import credentials, eventually, gateway, simulator

LISTING = "GET /v2/users (users) needs user:read:list_users:admin"


@pytest.fixture
async def sim() -> AsyncIterator[str]:
    async with simulator() as url, aiohttp.ClientSession() as client:
        await control(client, url, "config", {"scope": "user:read:user:admin group:read:x"})
        yield url


def written(folder: Path, text: Any) -> str:
    file = folder / "wanted.yaml"
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    return str(file)


async def test_a_list_of_operations(sim: str, tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "# what the report calls\nGET /v2/users   # all\n\nget /v2/users/{userId}\n"
        "PATCH /v2/users/{userId}\n",
    )
    found = await check("--mint", "--for", file, **credentials(sim))
    lacking = found.one("wanted_scopes_lacking")
    assert (lacking["level"], lacking["about"]) == ("problem", "accounts.default")
    scopes = ["user:read:list_users:admin", "user:update:user:admin"]
    assert lacking["details"]["scopes"] == scopes
    assert all(scope in lacking["sentence"] for scope in scopes)
    assert "Zoom Marketplace" in lacking["advice"]
    assert found.one("wanted_scopes_held")["details"] == {"count": 1}
    assert found.lacks("wanted_scopes_undecided")
    assert found.exit_code == 1
    words = await said("--mint", "--for", file, **credentials(sim))
    assert LISTING in words.stdout


@pytest.mark.parametrize(
    "wanted",
    [
        ["GET /v2/users/{userId}"],
        "GET /v2/users/123",
        "user\n",
        "- GET /v2/users/{userId}\n- user\n",
        [{"name": "one", "methods": ["GET"], "operations": ["/v2/users/{userId}"]}],
        {"rules": [{"name": "one", "operations": ["user"], "callers": {"keys": ["other"]}}]},
        {
            "access": {
                "default": "deny",
                "keys": {"r": {"key_file": "/not/here"}},
                "rules": [
                    {"name": "no", "action": "deny", "operations": ["/v2/users"]},
                    {"name": "yes", "operations": ["user", "userCreate"]},
                ],
            }
        },
    ],
)
async def test_all_is_well_in_each_form(sim: str, tmp_path: Path, wanted: Any) -> None:
    found = await check("--mint", "--for", written(tmp_path, wanted), **credentials(sim))
    assert found.one("wanted_scopes_held")["details"] == {"count": 1}, found.stdout
    assert found.lacks("wanted_scopes_lacking", "wanted_scopes_undecided", "wanted_scopes_unknown")
    assert found.exit_code == 0


async def test_what_cannot_be_told(sim: str, tmp_path: Path) -> None:
    file = written(tmp_path, ["user", "product:meetings", "GET /v2/brand/new", "/v2/brand/*"])
    found = await check("--mint", "--for", file, **credentials(sim))
    unclear = found.one("wanted_scopes_undecided")
    assert unclear["level"] == "warning"
    assert len(unclear["details"]["unlisted"]) == 183
    assert unclear["details"]["unknown"] == ["GET /v2/brand/new", "/v2/brand/*"]
    assert found.exit_code == 1
    ignored = ("--ignore", "wanted_scopes_undecided")
    found = await check("--mint", "--for", file, *ignored, **credentials(sim))
    assert found.exit_code == 0
    async with aiohttp.ClientSession() as client:
        await control(client, sim, "config", {"scope": "user:read:admin meeting:write:admin"})
    found = await check("--mint", "--for", written(tmp_path, ["GET /v2/users"]), **credentials(sim))
    unclear = found.one("wanted_scopes_undecided")
    assert unclear["details"]["classic"] == ["meeting:write:admin", "user:read:admin"]
    assert "user:read:admin" in unclear["sentence"]
    assert unclear["details"]["hidden"] == ["GET /v2/users (users)"]
    assert found.lacks("wanted_scopes_lacking", "wanted_scopes_held")


async def test_the_running_gateways_token(sim: str, tmp_path: Path) -> None:
    store = {"ZOOM_GATEWAY_STORE__URL": f"file://{tmp_path / 'store'}"}
    file = written(tmp_path, ["GET /v2/users"])
    found = await check("--for", file, **credentials(sim), **store)
    nothing = found.one("wanted_scopes_unknown")
    assert (nothing["level"], found.exit_code) == ("problem", 1)
    assert "--mint" in nothing["advice"]
    async with gateway(sim, **store):
        await eventually(lambda: any((tmp_path / "store").glob("*")), "a stored token")
        found = await check("--for", file, **credentials(sim), **store)
        for _ in range(50):
            if not found.lacks("store_document"):
                break
            found = await check("--for", file, **credentials(sim), **store)
    lacking = found.one("wanted_scopes_lacking")
    assert lacking["details"]["scopes"] == ["user:read:list_users:admin"]
    async with aiohttp.ClientSession() as client, client.get(f"{sim}/_sim/state") as state:
        assert (await state.json())["mints"]["total"] == 1


async def test_by_account(sim: str, tmp_path: Path) -> None:
    other = {
        "account_id": "demo-account",
        "apps": [{"client_id": "demo-client-2", "client_secret": "demo-secret-2"}],
    }
    env = {**credentials(sim), "ZOOM_GATEWAY_ACCOUNTS__OTHER": json.dumps(other)}
    rules = [
        {"name": "theirs", "accounts": ["other"], "operations": ["/v2/users"], "methods": ["GET"]},
        {"name": "all", "operations": ["user"]},
    ]
    file = written(tmp_path, rules)
    found = await check("--mint", "--for", file, **env)
    assert [one["about"] for one in found.all("wanted_scopes_lacking")] == ["accounts.other"]
    assert found.exit_code == 1
    found = await check("--mint", "--account", "default", "--for", file, **env)
    assert found.lacks("wanted_scopes_lacking")
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("GET /v2/users\nmeetingCraete\n", "entry 2 names no operation"),
        ("", "must hold access rules"),
        ("rules: []", "must hold access rules"),
        ("listen: {port: 1}", "must hold access rules"),
        ("just some words about it", "entry 1 is no operation"),
        ("- FETCH /v2/users", "entry 1 is no operation"),
        ([{"name": "a", "operation": ["user"]}], "access.rules[0].operation: is not a key"),
        ([{"name": "a", "operations": ["usr"]}], "access.rules[0].operations: item 1 names no"),
        ("- [", "is not valid YAML"),
        (None, "cannot be read"),
    ],
)
async def test_a_file_that_is_none(tmp_path: Path, wanted: Any, words: str) -> None:
    file = str(tmp_path / "none.yaml") if wanted is None else written(tmp_path, wanted)
    env = credentials("http://127.0.0.1:9")
    found = await said("--for", file, **env)
    assert found.exit_code == 2
    assert file in found.stderr
    assert words in found.stderr
    found = await check("--for", file, **env)
    assert (found.exit_code, found.codes) == (2, ["configuration"])
