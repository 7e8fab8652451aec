"""A cold start of many replicas, and tokens that die every second under load."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fleet.world import World, world
from tests.support.fleet_load import Call, Result, callers, recoveries
from tests.support.load import control

PERIOD = 1.0
"""Seconds between kills."""

RESPITE = 0.5
"""Seconds from the first good answer after a kill to the next kill, at least: on a machine so busy
that calls take longer than tokens live, no call could succeed."""


async def storm(directory: Path, seconds: float, per_second: float = 300) -> Result:
    """Eight replicas, one slot: they start together, then each second all tokens are killed."""
    async with world(directory, replicas=8) as one:
        await one.fleet.ready()
        cold = await one.fleet.mints()
        async with callers(one.fleet, per_second) as calls, _killer(one, calls) as kills:
            await asyncio.sleep(seconds)
        result = await one.result("a token killed every second", calls)
    result.kills = len(kills)
    result.seen["mints of the cold start"] = cold
    result.seen["calls a second"] = round(len(calls) / seconds, 1)
    result.recoveries = recoveries(calls, kills)
    result.measured = "from a kill to the first good answer with a new token"
    return result


@asynccontextmanager
async def _killer(one: World, calls: list[Call]) -> AsyncIterator[list[float]]:
    """Kill every token again and again; gives the moments."""
    moments: list[float] = []

    async def kill() -> None:
        while True:
            await asyncio.sleep(PERIOD)
            await control(one.client, one.sim, "kill")
            moments.append(time.monotonic())
            known = len(calls)
            while not (took := recoveries(calls[known:], moments[-1:])):
                await asyncio.sleep(0.02)
            await asyncio.sleep(max(0.0, took[0] + RESPITE - PERIOD))

    task = asyncio.create_task(kill())
    try:
        yield moments
    finally:
        task.cancel()
        await asyncio.wait([task])
