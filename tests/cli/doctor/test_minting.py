"""`--mint`: each reason why Zoom gives no token, and each answer to a call with one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.cli.doctor.bench import Checked, account, answering, check, deciding, server
from tests.support.load import control, session
from tests.support.processes import credentials, simulator

APP = '{"name":"default","client_id":"demo-client","token_indexes":[0,%d]}'


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with session() as made:
        yield made


async def mint_with(
    client: aiohttp.ClientSession, faults: dict[str, Any], **variables: str
) -> Checked:
    async with simulator() as sim:
        await control(client, sim, "faults", faults, "PUT")
        return await check("--mint", **{**credentials(sim), **variables})


async def test_every_slot_gets_a_token() -> None:
    async with simulator() as sim:
        apps = f"[{APP % 1}]"
        found = await check("--mint", **credentials(sim), ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS=apps)
    slots = ["accounts.default, slot default/0", "accounts.default, slot default/1"]
    assert [one["about"] for one in found.all("mint_ok")] == slots
    assert [one["about"] for one in found.all("token_accepted")] == slots
    assert found.one("mint_ok")["details"]["lifetime"] == 3599
    assert len(found.one("mint_ok")["details"]["scopes"]) == 3
    assert found.exit_code == 0


FAILURES = {
    "mint_refused": {"mint_status": 403, "mint_body": {"reason": "no", "error": "other"}},
    "mint_rate_limited": {"mint_status": 429, "mint_headers": {"Retry-After": "7"}},
    "mint_server_error": {"mint_status": 500},
    "mint_malformed": {"mint_status": 200, "mint_body": {"token_type": "bearer"}},
    "mint_timeout": {"mint_delay": 60},
    "mint_broken": {"mint_drop": "after"},
}


@pytest.mark.parametrize(("code", "faults"), FAILURES.items())
async def test_no_token(client: aiohttp.ClientSession, code: str, faults: dict[str, Any]) -> None:
    found = await mint_with(client, faults, ZOOM_GATEWAY_TOKEN__MINT_TIMEOUT="1")
    failed = found.one(code)
    assert (failed["level"], failed["about"]) == ("problem", "accounts.default, slot default/0")
    assert "no token" in failed["sentence"]
    assert failed["details"] == ({"retry_after": 7.0} if code == "mint_rate_limited" else {})
    assert found.exit_code == 1
    assert found.lacks("mint_ok", "token_accepted")


@pytest.mark.parametrize(
    ("code", "variable", "words"),
    [
        ("mint_invalid_client", "ZOOM_CLIENT_SECRET", "was the secret rotated"),
        ("mint_invalid_account", "ZOOM_ACCOUNT_ID", "Client id and secret are right"),
    ],
)
async def test_credentials_that_zoom_refuses(code: str, variable: str, words: str) -> None:
    async with simulator() as sim:
        found = await check("--mint", **{**credentials(sim), variable: "canary-5b-other"})
    assert words in found.one(code)["advice"]
    assert "canary-5b-other" not in found.stdout + found.stderr


async def test_an_index_out_of_range() -> None:
    apps = f"[{APP % 7}]"
    async with simulator("--max-index", "1") as sim:
        found = await check("--mint", **credentials(sim), ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS=apps)
    refused = found.one("mint_invalid_index")
    assert refused["about"] == "accounts.default, slot default/7"
    assert "Take 7 out of token_indexes" in refused["advice"]
    assert found.one("mint_ok")["about"] == "accounts.default, slot default/0"


async def test_a_token_endpoint_that_is_gone_when_it_is_needed() -> None:
    """It answers when it is looked at, and takes no connection for the mint."""
    answer = answering("404 Not Found")

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)  # the first connection brings nothing
        listening.close()
        await answer(reader, writer)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await once(reader, writer)
        writer.close()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with simulator() as sim:
        found = await check("--mint", **account(sim, f"http://127.0.0.1:{port}"))
    assert "cannot be reached" in found.one("mint_connection")["sentence"]


async def test_the_previous_secret(client: aiohttp.ClientSession) -> None:
    async with simulator() as sim:
        body = {"app": "demo-client", "client_secret": "canary-new"}
        await control(client, sim, "rotate-secret", body)
        before = "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS__0__PREVIOUS_CLIENT_SECRET"
        variables = {**credentials(sim), "ZOOM_CLIENT_SECRET": "wrong", before: "demo-secret"}
        found = await check("--mint", **variables)
    assert "Correct client_secret" in found.one("previous_secret")["advice"]
    assert found.exit_code == 1


async def test_an_api_that_zoom_names(client: aiohttp.ClientSession) -> None:
    found = await mint_with(client, {"mint_patch": {"api_url": "https://api-eu.zoom.us"}})
    named = found.one("api_url_differs")
    assert (named["level"], named["details"]["api_url"]) == ("notice", "https://api-eu.zoom.us")
    assert "Both work" in named["advice"]
    assert found.exit_code == 0


async def test_an_api_that_is_not_zooms(client: aiohttp.ClientSession) -> None:
    """Nothing is sent there, and the configured one goes on."""
    evil = "https://api.zoom.us.evil.example"
    found = await mint_with(client, {"mint_patch": {"api_url": evil}})
    assert "not Zoom's: nothing is ever sent there" in found.one("api_url_differs")["advice"]
    assert found.one("token_accepted")


@pytest.mark.parametrize("status", [400, 401])
async def test_scopes_that_the_probe_needs(client: aiohttp.ClientSession, status: int) -> None:
    error = {"status": status, "code": 4711 if status == 400 else 201}
    async with simulator() as sim:
        lacking = {"missing_scopes": {"GET /v2/users/{userId}": ["user:read:user"]}}
        await control(client, sim, "config", lacking)
        await control(client, sim, "faults", {"scope_error": error}, "PUT")
        found = await check("--mint", **credentials(sim))
    missing = found.one("scopes_missing")
    assert "user:read:user" in missing["sentence"]
    assert "token.probe_path" in missing["advice"]
    assert missing["level"] == "warning"


@pytest.mark.parametrize(
    ("code", "faults"),
    [
        ("token_refused", {"refuse_all": True}),
        ("token_unclear", {"status": 503}),
        ("token_no_answer", {"drop": "before_headers", "drop_share": 1}),
    ],
)
async def test_a_call_with_the_token(
    client: aiohttp.ClientSession, code: str, faults: dict[str, Any]
) -> None:
    found = await mint_with(client, faults)
    assert found.one("mint_ok")
    assert found.one(code)["about"] == "accounts.default, slot default/0"
    assert found.exit_code == 1


async def test_one_of_two_accounts() -> None:
    other = {
        "ZOOM_GATEWAY_ACCOUNTS__OTHER__ACCOUNT_ID": "demo-account",
        "ZOOM_GATEWAY_ACCOUNTS__OTHER__APPS": '[{"client_id":"demo-client-2",'
        '"client_secret":"demo-secret-2"}]',
    }
    async with simulator() as sim:
        found = await check("--mint", "--account", "other", **credentials(sim), **other)
        assert [one["about"] for one in found.all("mint_ok")] == ["accounts.other, slot default/0"]
        found = await check("--mint", **credentials(sim), **other)
        assert len(found.all("mint_ok")) == 2


@pytest.mark.parametrize("url", ["https://[zoom", "", "no url", "https://\x1b[31mzoom\n.us"])
async def test_an_api_that_is_no_url(client: aiohttp.ClientSession, url: str) -> None:
    found = await mint_with(client, {"mint_patch": {"api_url": url}})
    assert found.one("token_accepted")
    assert found.lacks("defect")


async def test_words_of_zooms_that_would_steer_a_terminal() -> None:
    body = '{"code":4711,"message":"\\u001b[2Jtoken does not contain \\ud800 scopes"}'
    token = '{"access_token":"t","expires_in":3599}'
    minting, refusing = answering("200 OK", token), answering("400 Bad Request", body)
    both = deciding(lambda head: minting if head.startswith(b"POST") else refusing)
    async with server(both) as port:
        found = await check("--mint", **account(f"http://127.0.0.1:{port}"))
    lacking = found.one("scopes_missing")
    assert lacking["details"]["message"] == "?[2Jtoken does not contain ? scopes"
