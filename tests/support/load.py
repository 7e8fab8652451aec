"""Load from outside: calls at a steady rate over real sockets, and what their callers saw."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

_OPERATION = itertools.count()


@dataclass
class Tally:
    """Statuses seen, and how long each call took, in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return self.statuses.total()

    def share(self, *statuses: int) -> float:
        return sum(self.statuses[status] for status in statuses) / max(1, self.calls)


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as client:
        yield client


async def steady(
    client: aiohttp.ClientSession, url: str, per_second: float, seconds: float, **options: Any
) -> Tally:
    """Each call carries an operation id, so that the simulator sees one that acts twice."""
    tally = Tally()
    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(round(per_second * seconds)):
            pause = start + number / per_second - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            group.create_task(one(client, url, tally, **options))
    return tally


async def one(
    client: aiohttp.ClientSession, url: str, tally: Tally, method: str = "GET", **options: Any
) -> None:
    headers = {"X-Operation-Id": f"operation-{next(_OPERATION)}"}
    begun = time.monotonic()
    async with client.request(method, url, headers=headers, **options) as answer:
        await answer.read()
        tally.statuses[answer.status] += 1
    tally.durations.append(time.monotonic() - begun)


async def control(
    client: aiohttp.ClientSession, sim_url: str, verb: str, body: Any = None, method: str = "POST"
) -> Any:
    async with client.request(method, f"{sim_url}/_sim/{verb}", json=body or {}) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def state(client: aiohttp.ClientSession, sim_url: str) -> Any:
    async with client.get(f"{sim_url}/_sim/state") as answer:
        return await answer.json()


async def counted(client: aiohttp.ClientSession, sim_url: str, name: str, least: int) -> None:
    """Wait until the simulator has counted that many."""
    end = time.monotonic() + 30
    while (await state(client, sim_url))[name] < least:
        assert time.monotonic() < end, f"{name} stayed below {least}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def killer(
    client: aiohttp.ClientSession, sim_url: str, pause: Callable[[], float]
) -> AsyncIterator[list[float]]:
    """Kill all tokens again and again, `pause()` seconds apart; gives the moments."""
    moments: list[float] = []

    async def kill() -> None:
        due = time.monotonic()
        while True:
            due += pause()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await control(client, sim_url, "kill")
            moments.append(time.monotonic())

    task = asyncio.create_task(kill())
    try:
        yield moments
    finally:
        task.cancel()
        await asyncio.wait([task])


def poisson(mean: float, seed: int) -> Callable[[], float]:
    chance = random.Random(seed)
    return lambda: chance.expovariate(1 / mean)


async def metric(client: aiohttp.ClientSession, admin_url: str, name: str) -> dict[str, float]:
    """The samples of one metric, by their labels as written."""
    async with client.get(f"{admin_url}/metrics") as answer:
        text = await answer.text()
    found = {}
    for line in text.splitlines():
        series, _, value = line.rpartition(" ")
        if series == name or series.startswith(f"{name}{{"):
            found[series.removeprefix(name)] = float(value)
    return found
