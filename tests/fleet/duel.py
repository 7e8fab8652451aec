"""Two fleets that share an app but no store: each mint kills the other fleet's token."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from gateway.stores.redis import RedisStore
from tests.fleet.world import World, world
from tests.support.fleet import Fleet, fleet
from tests.support.fleet_load import Call, Result, callers
from tests.support.redis_server import RedisServer, redis_server

RATE = 40.0
"""Calls a second, for each fleet."""

LEVEL = 3.0
"""Mints that are left of each fleet's burst of 120: at one or two a second, that takes minutes."""

BURST_ENDS = 60.0
"""Seconds within which two fleets use up what is left."""


async def duel(directory: Path, seconds: float) -> list[Result]:
    """What each fleet comes to in the `seconds` after both bursts were used up."""
    for name in ("one", "other"):
        (directory / name).mkdir()
    with redis_server(directory / "other") as second:
        return await _duel(directory / "one", second, seconds)


async def _duel(directory: Path, second: RedisServer, seconds: float) -> list[Result]:
    async with world(directory, replicas=2) as one, _second(one, second) as other:
        fleets = (one.fleet, other)
        for redis, each in ((one.redis, fleets[0]), (second, fleets[1])):
            await each.ready()
            await _drained(redis)
        async with callers(fleets[0], RATE) as mine, callers(fleets[1], RATE) as theirs:
            burst = await _burst(fleets)
            before = [await _minted(each) for each in fleets]
            begun = time.monotonic()
            await asyncio.sleep(seconds)
            after = [await _minted(each) for each in fleets]
            lasted = time.monotonic() - begun
        results = []
        for number, calls in enumerate((mine, theirs)):
            late = [call for call in calls if call.at >= begun]
            result = await one.result(f"two fleets, one app: fleet {number + 1}", late)
            result.mints = round(after[number] - before[number])
            result.seen["mints a second"] = result.mints / lasted
            result.seen["seconds until the bursts were used up"] = burst
            await _said(result, fleets[number], calls)
            results.append(result)
        return results


@asynccontextmanager
async def _second(one: World, redis: RedisServer) -> AsyncIterator[Fleet]:
    """A fleet with the same credentials, and a Redis of its own."""
    store = f"redis://127.0.0.1:{redis.port}/0"
    async with fleet(one.client, one.sim, store, [{}, {}]) as made:
        yield made


async def _drained(redis: RedisServer) -> None:
    """Take most of the budget out of the document, as a replica would."""
    store = RedisStore(redis.options)
    try:
        while True:
            stored = await store.read("default")
            assert stored.document
            budget = stored.document["budget"]
            assert isinstance(budget, dict)
            document = {**stored.document, "budget": {**budget, "level": LEVEL}}
            if await store.write("default", document, revision=stored.revision):
                return
    finally:
        await store.close()


async def _burst(fleets: tuple[Fleet, Fleet]) -> float:
    begun = time.monotonic()
    for each in fleets:
        await each.holds(
            partial(each.status, 0),
            lambda seen: seen["budget"]["left"] <= 1,
            "the burst of mints is used up",
            BURST_ENDS,
        )
    return round(time.monotonic() - begun, 1)


async def _minted(each: Fleet) -> float:
    return sum(await each.metric("token_mints_total"))


async def _said(result: Result, each: Fleet, calls: list[Call]) -> None:
    refused = [call for call in result.calls if call.status == 401]
    result.seen["share of calls with Zoom's refusal"] = len(refused) / max(1, len(result.calls))
    early = [call for call in calls if call.at < min(call.at for call in result.calls)]
    result.seen["the same during the bursts"] = sum(call.status == 401 for call in early) / max(
        1, len(early)
    )
    result.seen["foreign mints"] = sum(await each.metric("token_foreign_mints_total"))
    result.seen["foreign_mint lines"] = len(each.logged("foreign_mint"))
    result.seen["diagnoses"] = [
        [one["code"] for one in (await each.status(number))["diagnoses"]] for number in each.up
    ]
    result.tale = each.tale()
