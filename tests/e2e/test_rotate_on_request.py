"""An operator asks for a new token: real processes, real requests."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.test_reload import Configured, configured
from tests.support.load import session, state, steady
from tests.support.processes import Gateway, gateway, simulator

ALLOWED = {"ZOOM_GATEWAY_ADMIN__ALLOW_ACTIONS": "true"}


async def rotate(
    client: aiohttp.ClientSession, gate: Gateway, account: str = "default", **headers: str
) -> tuple[int, Any]:
    url = f"{gate.admin}/accounts/{account}/rotate"
    async with client.post(url, json={}, headers=headers) as answer:
        return answer.status, await answer.json()


async def generation(client: aiohttp.ClientSession, gate: Gateway) -> Any:
    async with client.get(f"{gate.admin}/status.json") as answer:
        body = await answer.json()
    return body["accounts"][0]["generation"] or 0


async def grows(client: aiohttp.ClientSession, gate: Gateway, least: int) -> None:
    async with asyncio.timeout(30):
        while await generation(client, gate) < least:
            await asyncio.sleep(0.02)


async def test_no_call_is_lost_while_tokens_are_rotated() -> None:
    async with (
        simulator("--mode", "single") as sim,
        gateway(sim, **ALLOWED) as gate,
        session() as client,
    ):
        load = asyncio.create_task(steady(client, f"{gate.url}/v2/users/me", 100, 7))
        for number in range(2):
            await grows(client, gate, number + 1)
            status, body = await rotate(client, gate)
            assert (status, body["result"], body["wait"] > 0) == (202, "due", number > 0)
        await grows(client, gate, 3)
        assert (await load).statuses == {200: 700}
        assert (await state(client, sim))["mints"]["total"] == 3
        first, *_ = gate.logged("rotation_requested")
        assert (first["account"], first["caller"]) == ("default", "127.0.0.1")
        causes = [one["cause"] for one in gate.logged("token_minted")]
        assert causes == ["start", "request", "request"]


async def test_it_is_off_by_default() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        await grows(client, gate, 1)
        status, body = await rotate(client, gate)
        assert (status, body["code"]) == (403, 403)
        assert await generation(client, gate) == 1
    assert not gate.logged("rotation_requested")


async def test_another_site_cannot() -> None:
    async with simulator() as sim, gateway(sim, **ALLOWED) as gate, session() as client:
        assert (await rotate(client, gate, Origin="http://evil.example"))[0] == 403
        assert (await rotate(client, gate, Host="evil.example"))[0] == 403
        assert (await rotate(client, gate, "nobody"))[0] == 404


async def test_a_reload_allows_and_forbids_it(tmp_path: Path) -> None:
    def allow(made: Configured, *, allowed: bool) -> dict[str, Any]:
        admin = json.loads(made.file.read_text())["admin"]
        return {"admin": {**admin, "allow_actions": allowed}}

    async with simulator() as sim, session() as client, configured(sim, tmp_path) as made:
        assert (await rotate(client, made.gate))[0] == 403
        assert await made.reload(**allow(made, allowed=True)) == ["admin"]
        assert (await rotate(client, made.gate))[0] == 202
        assert await made.reload(**allow(made, allowed=False)) == ["admin"]
        assert (await rotate(client, made.gate))[0] == 403


async def test_each_worker_tells_which_it_is() -> None:
    async with simulator() as sim, gateway(sim, "--workers", "2", **ALLOWED) as gate:
        seen: dict[int, str] = {}
        async with asyncio.timeout(30):
            while len(seen) < 2:
                async with session() as client, client.get(f"{gate.admin}/") as answer:
                    text = await answer.text()
                for number in (1, 2):
                    if f"events are those of worker {number} alone" in text:
                        seen[number] = text
    assert all("totals are those of all workers" in text for text in seen.values())
