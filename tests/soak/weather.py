"""What goes on around the calls of the soak: tokens die, stores fail, configurations change."""

import asyncio
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.soak.length import pick
from tests.soak.place import Place

APART: Final = 1.0
"""Seconds at least between two deaths of the token: a token that dies unseen would be taken for
one that Zoom refuses from its birth, and hold-off, rightly, would let calls fail."""

CALM: Final = 5.0
"""Seconds after the store came back in which no token dies."""

ALONE: Final = 35.0
"""Seconds at least between two tokens that die while there is no store: without its lease a replica
mints every 30 s at most.
"""


class Weather:
    """The events of one run, by chance. `seen` counts them."""

    def __init__(self, place: Place, chance: random.Random) -> None:
        self._place = place
        self._chance = chance
        self._last_death = 0.0
        self._calm_until = 0.0
        self._alone_from = 0.0
        self._outage = False
        self._trouble = asyncio.Lock()
        """Held by whoever breaks the token endpoint or the store: without both, nobody can mint in
        the time that a call waits."""
        self._outages = itertools.cycle([True, False])
        self.seen: Counter[str] = Counter()

    @asynccontextmanager
    async def blowing(self) -> AsyncIterator[None]:
        """Events happen while the block runs; those under way end with it."""
        stop = asyncio.Event()
        tasks = [
            asyncio.create_task(self._again(stop, mean, event))
            for mean, event in (
                (pick(1.5, 5.0), self._death),
                (pick(4.0, 10.0), self._hang_up),
                (pick(4.0, 15.0), self._token_endpoint),
                (pick(5.0, 60.0), self._store),
            )
        ]
        sections = itertools.cycle(SECTIONS)
        tasks.append(asyncio.create_task(self._reload(stop, pick(2.0, 10.0), sections)))
        try:
            yield
        finally:
            stop.set()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            self._place.sim.control.clear_faults()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _again(
        self, stop: asyncio.Event, mean: float, event: Callable[[], Awaitable[None]]
    ) -> None:
        while not await _within(stop, mean * self._chance.uniform(0.4, 1.6)):
            await event()

    async def _death(self) -> None:
        """The token dies, or another program's mint kills it."""
        now = time.monotonic()
        if self._outage or now < max(self._last_death + APART, self._calm_until):
            return
        self._kill()

    def _kill(self) -> None:
        self._last_death = time.monotonic()
        if self._chance.random() < 0.2:
            self._place.sim.control.mint()
            self.seen["foreign mint"] += 1
        else:
            self._place.sim.control.kill()
            self.seen["token killed"] += 1

    async def _hang_up(self) -> None:
        self._place.zoom.hang_up()
        self.seen["idle connections closed"] += 1

    async def _token_endpoint(self) -> None:
        """The next mint fails once, or is slow; it comes soon."""
        fault: dict[str, Any] = self._chance.choice(
            [
                {"mint_status": 500, "mint_fail_next": 1},
                {"mint_status": 429, "mint_headers": {"Retry-After": "1"}, "mint_fail_next": 1},
                {"mint_drop": "before", "mint_fail_next": 1},
                {"mint_cut": True, "mint_fail_next": 1},
                {"mint_delay": 0.7},
            ]
        )
        async with self._trouble:
            self._place.sim.control.put_faults(**fault)
            self.seen[f"mint fault {next(iter(fault))}"] += 1
            await self._death()
            await asyncio.sleep(2.0)
            self._place.sim.control.clear_faults()

    async def _store(self) -> None:
        """Redis hangs, or dies and comes back empty; sometimes a token dies meanwhile."""
        redis = self._place.redis
        if redis is None:
            return
        hangs = next(self._outages)
        async with self._trouble:
            self._outage = True
            try:
                redis.pause() if hangs else redis.kill()
                self.seen["Redis hung" if hangs else "Redis died"] += 1
                await asyncio.sleep(0.3)
                now = time.monotonic()
                if self._chance.random() < 0.5 and now > max(
                    self._last_death + APART, self._alone_from
                ):
                    self._alone_from = now + ALONE
                    self._kill()
                    self.seen["token killed without Redis"] += 1
                await asyncio.sleep(self._chance.uniform(0.5, 3.0))
            finally:
                # A start blocks until Redis answers; the callers must not wait for that.
                await asyncio.to_thread(redis.resume if hangs else redis.start)
                self._calm_until = time.monotonic() + CALM
                self._outage = False

    async def _reload(
        self, stop: asyncio.Event, mean: float, sections: Iterator[dict[str, Any]]
    ) -> None:
        """Another configuration, SIGHUP; now and then a storm of them."""
        while not await _within(stop, mean * self._chance.uniform(0.4, 1.6)):
            self._place.write(**next(sections))
            for _ in range(self._chance.choice([1, 1, 1, 20])):
                self._place.gate.signal(signal.SIGHUP)
                self.seen["SIGHUP"] += 1
                await asyncio.sleep(0.01)


SECTIONS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"upstream": {"connect_timeout": 4}},
    {"replay": {"memory_limit": 100_000}},
    {"upstream": {"connect_timeout": 5}, "token": {"rotate_at": 0.8}},
)
"""Each makes the gateway build something else anew."""


async def _within(stop: asyncio.Event, seconds: float) -> bool:
    """Whether it stops in that time; else return after it."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
