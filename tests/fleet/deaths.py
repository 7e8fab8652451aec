"""The replica that mints is killed, or stands still, at each step of its mint."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

from gateway.stores import redis_scripts
from tests.fleet.world import World, world
from tests.support.fleet import TWO_SLOTS
from tests.support.fleet_load import Call, Result, callers
from tests.support.load import control, counted
from tests.support.tcp_proxy import Hold

Step = Literal[
    "before asking", "while asking", "while asking long", "before the answer", "before publishing"
]
STEPS: tuple[Step, ...] = (
    "before asking",
    "while asking",
    "before the answer",
    "before publishing",
)
"""It has the lease, and: its request never reaches the token endpoint; the endpoint has the
request and mints later; it has minted and its answer is on the way; what the holder then writes
to the store is on the way. `while asking long`: the endpoint mints after another has taken over.
"""

RATE = 60.0
"""Calls a second."""

ENDPOINT_TIME: dict[Step, float] = {
    "while asking": 2.0,
    "while asking long": 5.0,
    "before the answer": 2.0,
    "before publishing": 0.5,
}
"""Seconds that the token endpoint takes while a holder is being caught."""

LIFE = 10
"""Seconds of a token's life with two slots: half of it is longer than a lease."""

WATCH = 2.0
"""Seconds of load after all is well again."""

_WRITE = hashlib.sha1(redis_scripts.WRITE.encode()).hexdigest().encode()
"""What EVALSHA calls the script that publishes."""


class Catch:
    """Stops the next mint at a step. `holder` is the replica that is caught there."""

    def __init__(self, one: World, step: Step) -> None:
        self.one = one
        self.step = step
        self.holder = -1
        self.hold: Hold | None = None
        self._before: dict[str, Any] = {}

    async def arm(self) -> None:
        self._before = await self.one.fleet.sim_state()
        if self.step == "before asking":
            self.hold = self.one.token_endpoint.hold(b"POST ")
            return
        after = self.step in {"before the answer", "before publishing"}
        faults = {"mint_delay": ENDPOINT_TIME[self.step], "mint_delay_after": after}
        await control(self.one.client, self.one.sim, "faults", faults, "PUT")

    async def caught(self) -> None:
        """Wait until a mint is there."""
        fleet = self.one.fleet
        if self.step == "before asking":
            await self._reached()
        else:
            tried = self._before["mint_attempts"] + 1
            await counted(self.one.client, self.one.sim, "mint_attempts", tried)
        self.holder = await fleet.holder(self.one.redis)
        if self.step == "before publishing":
            self.hold = fleet.links[self.holder].hold(_WRITE)
            await self._reached()

    async def _reached(self) -> None:
        assert self.hold
        await asyncio.wait_for(self.hold.reached.wait(), 30)

    async def heal(self) -> None:
        """The next mint meets no obstacle."""
        await control(self.one.client, self.one.sim, "faults", method="DELETE")


async def one_slot(directory: Path, step: Step, rounds: int = 1) -> Result:
    """The only token is killed at Zoom, and the replica that mints the next at `step`."""
    async with world(directory, replicas=3) as one:

        async def trigger() -> None:
            await control(one.client, one.sim, "kill")

        return await _deaths(one, step, trigger, rounds, "one slot")


async def two_slots(directory: Path, step: Step, rounds: int = 1) -> Result:
    """A rotation is due, and the replica that carries it out is killed at `step`."""
    life = ("--token-life", str(LIFE))
    async with world(directory, replicas=3, sim=life, env=TWO_SLOTS) as one:

        async def trigger() -> None:
            """Time does it."""

        return await _deaths(one, step, trigger, rounds, "two slots")


async def _deaths(
    one: World, step: Step, trigger: Callable[[], Awaitable[None]], rounds: int, slots: str
) -> Result:
    """Each time another process takes the dead one's place."""
    fleet = one.fleet
    await fleet.ready()
    took = []
    async with callers(fleet, RATE) as calls:
        for left in reversed(range(rounds)):
            await asyncio.sleep(0.5)
            took.append(await _death(one, step, trigger))
            await asyncio.sleep(WATCH)
            if left:
                await fleet.restart(*fleet.out)
    result = await one.result(f"minter killed {step}, {slots}", calls)
    result.kills = rounds
    result.recoveries = took
    result.measured = "from the minter's death until all others have a new token"
    return result


async def _death(one: World, step: Step, trigger: Callable[[], Awaitable[None]]) -> float:
    """Seconds from the holder's death until all others have a new token."""
    fleet, catch = one.fleet, Catch(one, step)
    known = max(generation or 0 for generation in await fleet.generations())
    await catch.arm()
    await trigger()
    await catch.caught()
    killed = time.monotonic()
    await fleet.kill(catch.holder)
    if catch.hold:
        catch.hold.drop()
    await catch.heal()
    return await _newer(one, known) - killed


async def late(directory: Path) -> Result:
    """The endpoint carries out the dead minter's request when another has taken over already."""
    step: Step = "while asking long"
    async with world(directory, replicas=3) as one:
        fleet = one.fleet
        await fleet.ready()
        async with callers(fleet, RATE) as calls:
            await asyncio.sleep(0.5)
            took = await _death(one, step, lambda: control(one.client, one.sim, "kill"))
            foreign = sum(await fleet.metric("token_foreign_mints_total"))
            known = max(generation or 0 for generation in await fleet.generations())
            await _newer(one, known)
            await asyncio.sleep(WATCH)
        result = await one.result("minter killed, its request carried out late", calls)
        result.kills = 1
        result.recoveries = [took]
        result.measured = "from the minter's death until all others have a new token"
        after = sum(await fleet.metric("token_foreign_mints_total"))
        result.seen["foreign mints told of for the late one"] = after - foreign
    return result


async def _newer(one: World, known: int) -> float:
    """Wait until all replicas that are up have a newer token; give when that was."""
    await one.fleet.holds(
        one.fleet.generations,
        lambda seen: all(generation and generation > known for generation in seen),
        f"a token newer than {known}",
    )
    return time.monotonic()


async def paused(directory: Path, step: Step) -> Result:
    """The holder stands still at `step` until another has taken over, and wakes up then."""
    async with world(directory, replicas=3) as one:
        fleet, catch = one.fleet, Catch(one, step)
        await fleet.ready()
        (known,) = set(await fleet.generations())
        async with callers(fleet, RATE) as calls:
            await asyncio.sleep(0.5)
            await catch.arm()
            await control(one.client, one.sim, "kill")
            await catch.caught()
            fleet.pause(catch.holder)
            stopped = time.monotonic()
            await catch.heal()
            taken_over = await _newer(one, known or 0)
            result = await _awake(one, catch, calls)
    result.scenario = f"paused {step}, past its lease"
    result.recoveries = [taken_over - stopped]
    result.measured = "from the holder's pause to another replica's token"
    return result


async def _awake(one: World, catch: Catch, calls: list[Call]) -> Result:
    fleet = one.fleet
    # The other two, one of which minted, have their token accepted before the third wakes.
    await asyncio.sleep(0.5)
    before = [await fleet.active(number) for number in fleet.up]
    mints = await fleet.mints()
    fleet.resume(catch.holder)
    if catch.hold:
        catch.hold.release()
    fleet.out.discard(catch.holder)
    await asyncio.sleep(WATCH)
    everybody = [await fleet.active(number) for number in range(len(fleet.gates))]
    result = await one.result("", calls)
    result.kills = 1
    result.seen["tokens before it woke"] = [_name(token) for token in before]
    result.seen["tokens after"] = [_name(token) for token in everybody]
    result.seen["mints before it woke"] = mints
    result.seen["published by it"] = [
        line["generation"]
        for line in fleet.gates[catch.holder].logged("token_minted")
        if line["generation"] > 1
    ]
    return result


def _name(token: dict[str, Any]) -> tuple[int, str]:
    return token["generation"], token["minter"]
