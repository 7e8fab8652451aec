"""Zoom's limits, a real gateway and real callers."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest

from tests.support.load import Tally, control, metric, one, session
from tests.support.processes import DEADLINE, Gateway, eventually, gateway, simulator

LIMITED = "zoom_gateway_ratelimited_total"
RETRIES = "zoom_gateway_ratelimit_retries_total"
ANSWERS = "zoom_gateway_zoom_answers_total"
LEFT = "zoom_gateway_ratelimit_remaining"

FREE = {"rate_plan": "free", "rate_headers": "full"}
"""Four light calls a second, and two medium ones."""


async def at_once(client: aiohttp.ClientSession, gate: Gateway, calls: int) -> Counter[int]:
    tally = Tally()
    await asyncio.gather(*(one(client, f"{gate.url}/v2/users/me", tally) for _ in range(calls)))
    return tally.statuses


async def rates(client: aiohttp.ClientSession, gate: Gateway) -> Any:
    async with client.get(f"{gate.admin}/status.json") as answer:
        return (await answer.json())["accounts"][0]["rate_limits"]


async def asked(url: str) -> str:
    """On a connection of its own, so that any worker may answer."""
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_what_one_second_refuses_the_next_one_takes() -> None:
    async with (
        simulator() as sim,
        gateway(sim, ZOOM_GATEWAY_RATELIMIT__RETRY="10") as gate,
        session() as client,
    ):
        await control(client, sim, "config", FREE)
        assert await at_once(client, gate, 12) == {200: 12}
        found = await metric(client, gate.admin, RETRIES)
        assert [labels for labels in found if 'outcome="recovered"' in labels] == list(found)
        limited = sum((await metric(client, gate.admin, LIMITED)).values())
        assert limited >= 1
        answers = await metric(client, gate.admin, ANSWERS)
        assert sum(answers.values()) == 12 + limited
        told = await rates(client, gate)
        assert told["used"][0]["category"] == told["limited"][0]["category"] == "light"
        assert told["limited"][0]["callers"][0]["caller"] == "127.0.0.1"

        def lines() -> list[Any]:
            return [line for line in gate.logged("call") if line.get("rate_limit")]

        await eventually(
            lambda: sum(line["rate_retries"] for line in lines()) == limited, "all lines"
        )
        assert {line["rate_limit"] for line in lines()} == {"per_second"}
        assert {line["rate_category"] for line in lines()} == {"light"}


async def test_unless_it_is_asked_for_429s_go_to_the_caller() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        await control(client, sim, "config", FREE)
        statuses = await at_once(client, gate, 12)
        assert statuses.keys() == {200, 429}
        (labels,) = await metric(client, gate.admin, LIMITED)
        assert 'category="light"' in labels
        assert 'type="per_second"' in labels
        assert await metric(client, gate.admin, RETRIES) == {}
        left = await metric(client, gate.admin, LEFT)
        assert all(0 <= value < 6000 for value in left.values())
        assert any('type="daily"' in labels for labels in left)


@pytest.mark.parametrize("workers", [1, 2])
async def test_many_errors_are_told(workers: int) -> None:
    async with (
        simulator() as sim,
        gateway(sim, "--workers", str(workers)) as gate,
        session() as client,
    ):
        for _ in range(16):
            tally = Tally()
            lost = f"{gate.url}/v2/users/nobody"
            await asyncio.gather(*(one(client, lost, tally) for _ in range(16)))
            assert tally.statuses == {404: 16}

        # Each worker tells of its own calls; whichever is asked next may not have had enough.
        async with asyncio.timeout(DEADLINE):
            while "with errors (100 %)" not in await asked(f"{gate.admin}/readyz"):
                await asyncio.sleep(0.02)
            while sum((await metric(client, gate.admin, ANSWERS)).values()) < 256:
                # What another worker counted is a second old.
                await asyncio.sleep(0.02)
        assert gate.logged("error_ratio_high")[0]["errors"] >= 50
