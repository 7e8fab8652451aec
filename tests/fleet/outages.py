"""The store fails in every way it can, while callers go on: nothing of it is theirs to see."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fleet.world import World, world
from tests.support.fleet import KEY
from tests.support.fleet_load import Call, Result, callers, recoveries
from tests.support.load import control, killer
from tests.support.redis_server import MASTER, RedisServer, Sentinel, running

RATE = 60.0
"""Calls a second."""

ALONE = 8.0
"""Seconds within which a replica without a store has minted alone."""

RECOVERY = "from the end of the fault to a store that works, by replica"


@dataclass
class Story:
    """What is found out while a fault lasts. `seen` goes into the result."""

    one: World
    calls: list[Call]
    seen: dict[str, Any] = field(default_factory=dict)
    recoveries: list[float] = field(default_factory=list)
    kills: int = 0

    async def down(self, among: list[int]) -> None:
        """Wait until these say that the store is down, and note how they say it."""
        fleet = self.one.fleet
        await fleet.store_up(0.0, among)
        self.seen["readyz while it is down"] = [await fleet.readyz(number) for number in among]
        lines = await self._lines("store_down", among)
        self.seen["store_down lines"] = {
            number: [line["message"] for line in told] for number, told in lines.items()
        }

    async def up(self, since: float, among: list[int] | None = None) -> None:
        """Wait until all say that it works; `since` is when the fault ended."""
        fleet = self.one.fleet
        chosen = fleet.up if among is None else among
        ends = await asyncio.gather(*(fleet.store_up(1.0, [number]) for number in chosen))
        self.recoveries += [end - since for end in ends]
        self.seen["readyz after it"] = [await fleet.readyz(number) for number in chosen]
        if "store_down lines" in self.seen:
            lines = await self._lines("store_up", chosen)
            self.seen["store_up lines"] = {number: len(told) for number, told in lines.items()}

    async def _lines(self, event: str, among: list[int]) -> dict[int, list[dict[str, Any]]]:
        """The lines of an event, by replica: they come a little after what they tell of."""
        fleet = self.one.fleet

        async def look() -> dict[int, list[dict[str, Any]]]:
            return {number: fleet.gates[number].logged(event) for number in among}

        await fleet.holds(look, lambda seen: all(seen.values()), f"all log {event}")
        return await look()

    async def document_back(self, since: float) -> None:
        """Wait until Redis holds a document again."""
        while not self.one.redis.command("HEXISTS", KEY, "document").startswith(b":1"):
            assert time.monotonic() < since + 30, f"no document after 30 s\n{self.one.fleet.tale()}"
            await asyncio.sleep(0.02)
        self.seen["seconds until the document was back"] = round(time.monotonic() - since, 3)


@asynccontextmanager
async def _outage(
    directory: Path, *, replicas: int = 4, sim: tuple[str, ...] = (), store: str = ""
) -> AsyncIterator[Story]:
    """A fleet under load, which goes on to the end."""
    async with world(directory, replicas=replicas, sim=sim, store=store) as one:
        await one.fleet.ready()
        async with callers(one.fleet, RATE) as calls:
            await asyncio.sleep(1.0)
            story = Story(one, calls)
            yield story


async def _same_token(story: Story) -> None:
    """Note the tokens of all replicas, by generation and minter, and the mints so far."""
    fleet = story.one.fleet
    tokens = [await fleet.active(number) for number in range(len(fleet.gates))]
    story.seen["tokens"] = {(token.get("generation"), token.get("minter")) for token in tokens}
    story.seen["mints before the cure"] = await fleet.mints()


async def _cured(story: Story, name: str) -> Result:
    """The token dies: one mint, which every replica follows."""
    await _same_token(story)
    fleet = story.one.fleet
    known = max(generation or 0 for generation in await fleet.generations())
    await control(story.one.client, story.one.sim, "kill")
    await fleet.holds(
        fleet.generations,
        lambda seen: all(generation and generation > known for generation in seen),
        f"all replicas follow a mint after {known}",
    )
    await asyncio.sleep(0.5)
    result = await story.one.result(name, story.calls)
    result.seen |= story.seen
    result.recoveries = story.recoveries
    result.measured = RECOVERY
    result.kills = 1 + story.kills
    return result


async def emptied(directory: Path) -> Result:
    """FLUSHALL: the document is gone, the connections stay."""
    async with _outage(directory) as story:
        story.one.redis.command("FLUSHALL")
        gone = time.monotonic()
        await story.document_back(gone)
        await asyncio.sleep(1.5)
        await story.up(time.monotonic())
        story.recoveries = [story.seen["seconds until the document was back"]]
        result = await _cured(story, "Redis emptied")
    result.measured = "until the document is back"
    return result


async def restarted(directory: Path) -> Result:
    """Redis ends and starts again, with nothing in it."""
    async with _outage(directory) as story:
        story.one.redis.kill()
        # It waits for the server, and the callers must not stand still meanwhile.
        await asyncio.to_thread(story.one.redis.start)
        back = time.monotonic()
        await story.document_back(back)
        await story.up(back)
        return await _cured(story, "Redis restarted, empty")


async def killed(directory: Path, seconds: float) -> Result:
    """Redis is away for a while, and comes back with nothing in it."""
    async with _outage(directory) as story:
        story.one.redis.kill()
        gone = time.monotonic()
        await story.down(story.one.fleet.up)
        await asyncio.sleep(max(0.0, gone + seconds - time.monotonic()))
        await asyncio.to_thread(story.one.redis.start)
        back = time.monotonic()
        await story.document_back(back)
        await story.up(back)
        return await _cured(story, f"Redis away for {seconds:g} s")


async def partitioned(directory: Path, seconds: float) -> Result:
    """Half of the replicas reach Redis no more; what they send is swallowed."""
    async with _outage(directory) as story:
        half = story.one.fleet.up[::2]
        for number in half:
            story.one.fleet.links[number].blackhole()
        gone = time.monotonic()
        await story.down(half)
        story.seen["store_up of the others"] = await story.one.fleet.metric(
            "store_up", story.one.fleet.up[1::2]
        )
        await asyncio.sleep(max(0.0, gone + seconds - time.monotonic()))
        for number in half:
            await story.one.fleet.links[number].heal()
        await story.up(time.monotonic(), half)
        return await _cured(story, f"half of the replicas cut off for {seconds:g} s")


async def alone(directory: Path) -> Result:
    """Every token dies while half of the replicas reach Redis no more: these mint their own."""
    async with _outage(directory, sim=("--mode", "multi")) as story:
        fleet = story.one.fleet
        half = fleet.up[::2]
        for number in half:
            fleet.links[number].blackhole()
        await story.down(half)
        # Calls that come while a replica mints alone are to wait for it.
        await control(story.one.client, story.one.sim, "faults", {"mint_delay": 0.5}, "PUT")
        await control(story.one.client, story.one.sim, "kill")
        killed = time.monotonic()
        await asyncio.sleep(ALONE)
        for number in half:
            await fleet.links[number].heal()
        await story.up(time.monotonic(), half)
        await fleet.holds(
            fleet.generations, lambda seen: len(set(seen)) == 1, "all share a token again"
        )
        story.kills = 1
        result = await _cured(story, "tokens killed while half of the replicas are cut off")
    for number in range(result.replicas):
        own = [call for call in story.calls if call.replica == number]
        result.recoveries += recoveries(own, [killed])
    result.recoveries = result.recoveries[-result.replicas :]
    result.measured = "from the kill to a good answer with a new token, by replica"
    return result


async def slow(directory: Path, seconds: float) -> Result:
    """Every answer of Redis takes 200 ms more, and tokens die meanwhile."""
    async with _outage(directory) as story:
        fleet = story.one.fleet
        for link in fleet.links:
            link.delay["down"] = 0.2
        async with killer(story.one.client, story.one.sim, lambda: 2.5) as kills:
            await asyncio.sleep(seconds)
        await asyncio.sleep(2.0)
        story.kills = len(kills)
        story.seen["store_up"] = await fleet.metric("store_up")
        result = await _cured(story, "200 ms to Redis, tokens killed every 2.5 s")
        result.recoveries = recoveries(story.calls, kills)
    result.measured = "from a kill to the first good answer with a new token"
    return result


async def full(directory: Path, seconds: float) -> Result:
    """Redis' memory is full: it answers, and writes nothing."""
    async with _outage(directory) as story:
        redis = story.one.redis
        assert redis.command("CONFIG", "SET", "maxmemory", "1").startswith(b"+OK")
        begun = time.monotonic()
        await story.down(story.one.fleet.up)
        await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))
        assert redis.command("CONFIG", "SET", "maxmemory", "0").startswith(b"+OK")
        await story.up(time.monotonic())
        return await _cured(story, f"Redis' memory full for {seconds:g} s")


async def failed_over(directory: Path) -> Result:
    """The primary dies, and Sentinel makes its replica the primary."""
    for name in ("primary", "replica", "sentinel"):
        (directory / name).mkdir()
    primary = RedisServer(directory / "primary")
    with running(primary):
        replica = RedisServer(
            *(directory / "replica", "--replicaof", f"127.0.0.1 {primary.port}"),
        )
        sentinel = Sentinel(directory / "sentinel", primary)
        with running(replica, sentinel):
            await _known(sentinel)
            store = f"redis+sentinel://127.0.0.1:{sentinel.port}/{MASTER}"
            async with _outage(directory, store=store) as story:
                primary.kill()
                killed = time.monotonic()
                await story.down(story.one.fleet.up)
                await story.up(killed)
                return await _cured(story, "Redis failed over by Sentinel")


async def _known(sentinel: RedisServer) -> None:
    """Wait until the Sentinel knows the primary's replica."""
    end = time.monotonic() + 30
    while not sentinel.command("SENTINEL", "replicas", MASTER).startswith(b"*1"):
        assert time.monotonic() < end, "the Sentinel finds no replica"
        await asyncio.sleep(0.05)
