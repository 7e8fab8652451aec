"""Callers who get the real token: real processes, and nothing of it anywhere else."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.test_canary import PATHS, _tokens
from tests.e2e.test_reload import configured
from tests.support.load import control, session, state
from tests.support.processes import Gateway, simulator

KEY = "canary-key-0123456789abcdef"
RULE = {"name": "robots", "real_token": True, "callers": {"keys": ["robot"]}}
ACCESS = {"keys": {"robot": {"key": KEY}}, "rules": [RULE]}
GRANT = {"grant_type": "account_credentials", "account_id": "demo-account"}


async def fetch(client: aiohttp.ClientSession, gate: Gateway, key: str | None = KEY) -> Any:
    headers = {} if key is None else {"X-Zoom-Gateway-Key": key}
    url = f"{gate.url}/oauth/token"
    async with client.post(url, data=GRANT, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def at_zoom(client: aiohttp.ClientSession, document: Any) -> int:
    """The caller goes to Zoom on its own."""
    headers = {"Authorization": f"Bearer {document['access_token']}"}
    async with client.get(f"{document['api_url']}/v2/users/me", headers=headers) as answer:
        return answer.status


async def everything(client: aiohttp.ClientSession, gate: Gateway) -> str:
    said = []
    for path in PATHS:
        async with client.get(f"{gate.admin}{path}") as answer:
            said.append(f"{answer.headers}\n{await answer.text()}")
    return "\n".join(said)


async def test_the_real_token_works_at_zoom_and_is_seen_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    sections = {
        "access": ACCESS,
        "oauth": {"real_token": True},
        "store": {"url": f"file://{folder}"},
        "log": {"level": "debug"},
    }
    async with (
        simulator("--mode", "single") as sim,
        session() as client,
        configured(sim, tmp_path, **sections) as made,
    ):
        gate = made.gate
        document = await fetch(client, gate)
        assert document["api_url"] == sim
        # One slot: good until its rotation, after nine tenths of its life.
        assert 3000 < document["expires_in"] <= 3240
        assert await at_zoom(client, document) == 200
        (token,) = await _tokens(folder)
        assert document["access_token"] == token

        other = await fetch(client, gate, key=None)
        assert other["access_token"] == "zoom-gateway"

        # It is killed, and nobody but its borrower meets that.
        await control(client, sim, "kill")
        assert await at_zoom(client, document) == 401
        again: Any = document

        # What Zoom accepted within the last seconds is believed.
        async with asyncio.timeout(30):
            while await at_zoom(client, again) != 200:
                await asyncio.sleep(0.2)
                again = await fetch(client, gate)
        assert again["access_token"] != token
        assert (await state(client, sim))["mints"]["total"] == 2

        lines = gate.logged("real_token_given")
        assert {line["account"] for line in lines} == {"default"}
        assert (lines[0]["generation"], lines[-1]["generation"]) == (1, 2)
        assert (lines[0]["rule"], lines[0]["caller"]) == ("robots", "127.0.0.1")
        said = await everything(client, gate)
        assert f'zoom_gateway_real_tokens_total{{account="default"}} {len(lines)}.0' in said
        for secret in (token, again["access_token"], KEY):
            assert secret not in said
            assert secret not in gate.output


async def test_a_reload_takes_it_away_at_once(tmp_path: Path) -> None:
    async with (
        simulator() as sim,
        session() as client,
        configured(sim, tmp_path, access=ACCESS, oauth={"real_token": True}) as made,
    ):
        assert (await fetch(client, made.gate))["access_token"] != "zoom-gateway"
        assert await made.reload(access=ACCESS) == ["oauth"]
        assert (await fetch(client, made.gate))["access_token"] == "zoom-gateway"


async def test_a_configuration_in_which_anybody_would_get_it_is_refused(tmp_path: Path) -> None:
    async with (
        simulator() as sim,
        session() as client,
        configured(sim, tmp_path, access=ACCESS, oauth={"real_token": True}) as made,
    ):
        for callers in ({}, {"networks": ["0.0.0.0/0"]}):
            rule = {"name": "all", "real_token": True, "callers": callers}
            made.write(access={"rules": [rule]}, oauth={"real_token": True})
            failed = await made.hang_up("reload_failed")
            assert "would give the token to anybody" in failed["problems"][0]
        assert (await fetch(client, made.gate, None))["access_token"] == "zoom-gateway"
