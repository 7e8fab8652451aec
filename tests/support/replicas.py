"""Several replicas of one account, each with its own way to a shared store in memory."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from gateway.core.token import SlotId
from tests.support.account import A0, Fleet, Outcome, load
from tests.support.failing_store import FailingStore
from tests.support.virtual_time import VirtualClock
from tests.support.zoom_in_memory import Zoom


class Replicas:
    """`stores[i]` is the way of `all[i]`."""

    def __init__(self, fleets: list[Fleet], stores: list[FailingStore]) -> None:
        self.all = fleets
        self.stores = stores

    def cut(self, *, down: bool) -> None:
        for store in self.stores:
            store.down = down

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for replica in self.all for event in replica.told.of(kind)]

    def generations(self) -> list[int]:
        return [replica.manager.ledger.account.generation for replica in self.all]

    def tokens(self) -> set[str]:
        """The values of the tokens that new calls get."""
        held = [replica.manager.ledger.token() for replica in self.all]
        return {token.value.reveal() if token else "" for token in held}

    async def load(self, per_second: float, seconds: float) -> list[Outcome]:
        """At each replica that many calls a second."""
        found = await asyncio.gather(*(load(one, per_second, seconds) for one in self.all))
        return [outcome for outcomes in found for outcome in outcomes]


@asynccontextmanager
async def replicas(
    count: int, zoom: Zoom, slots: tuple[SlotId, ...] = (A0,), **options: Any
) -> AsyncIterator[Replicas]:
    """Start so many at once. `latency`: the longest way to the store, in seconds."""
    clock = VirtualClock()
    latency = options.pop("latency", 0.005)
    chance = random.Random(options.pop("seed", 1))
    shared = FailingStore(clock)
    stores = [FailingStore(clock, shared) for _ in range(count)]
    for store in stores:
        store.latency = lambda: chance.uniform(0, latency)
    async with AsyncExitStack() as stack:
        fleets = [
            await stack.enter_async_context(
                Fleet(zoom, slots, store, replica=f"replica-{number}", seed=number, **options)
            )
            for number, store in enumerate(stores)
        ]
        yield Replicas(fleets, stores)
