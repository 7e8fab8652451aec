"""An account on a `Zoom` in memory, with its manager and callers that go through it."""

import asyncio
import itertools
import random
from dataclasses import dataclass, field
from typing import Any, Self

from gateway.core.endpoint import Endpoint
from gateway.core.errors import TokenUnavailableError
from gateway.core.events import TokenEvent
from gateway.core.token import SlotId
from gateway.ports import Clock, TokenStore
from gateway.reports import CallReport
from gateway.stores.memory import MemoryStore
from gateway.tokens.manager import ManagerParts, TokenManager
from gateway.tokens.probing import ProbeTarget
from tests.support.virtual_time import VirtualClock
from tests.support.zoom_in_memory import Zoom

A0 = SlotId("a", 0)
A1 = SlotId("a", 1)
B0 = SlotId("b", 0)

TARGETS = (ProbeTarget(b"/me", "GET /me"), ProbeTarget(b"/users", "GET /users"))


@dataclass
class Told:
    """Implements `Observer`; keeps every token event."""

    events: list[TokenEvent] = field(default_factory=list)

    def call_began(self, account: str) -> None: ...

    def call_ended(self, report: CallReport) -> None: ...

    def token_event(self, account: str, event: TokenEvent) -> None:
        del account
        self.events.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Outcome:
    """What a caller saw: accepted, Zoom's refusal, or the gateway's 503."""

    seen: str
    sendings: int
    took: float


class Fleet:
    """One replica here; more share the store."""

    def __init__(
        self,
        zoom: Zoom,
        slots: tuple[SlotId, ...] = (A0,),
        store: TokenStore | None = None,
        **options: Any,
    ) -> None:
        self.zoom = zoom
        self.told = Told()
        self.clock: Clock = options.pop("clock", VirtualClock())
        self.store = store or MemoryStore(self.clock)
        seed = random.Random(options.pop("seed", 7))
        epochs = itertools.count(1)
        self.defects: list[Exception] = []
        self.manager = TokenManager(
            ManagerParts(
                account="default",
                replica=options.pop("replica", "replica-1"),
                identities=dict.fromkeys(slots, options.pop("identity", "same")),
                store=self.store,
                minter=zoom,
                prober=zoom,
                observer=self.told,
                clock=self.clock,
                chance=seed.random,
                new_epoch=lambda: f"epoch-{next(epochs)}",
                probe_targets=TARGETS,
                defect=self.defects.append,
                **options,
            )
        )

    async def __aenter__(self) -> Self:
        self.manager.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.manager.close()
        assert not self.defects

    async def call(self, endpoint: str = "GET /x", *, resource: str = "") -> Outcome:
        """The proxy's journey in short."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        session = self.manager.call(Endpoint("GET", "/", endpoint))
        sendings = 0

        def ended(seen: str) -> Outcome:
            return Outcome(seen, sendings, loop.time() - start)

        try:
            token = await session.first()
        except TokenUnavailableError:
            return ended("unavailable")
        while True:
            sendings += 1
            assert sendings <= 3
            if await self.zoom.call(token.value, resource or endpoint):
                session.accepted(token)
                return ended("accepted")
            better = await session.better(token)
            if better is None:
                return ended("refused")
            token = better


async def load(
    fleet: Fleet, per_second: float, seconds: float, endpoint: str = "GET /x"
) -> list[Outcome]:
    """Start calls at a steady rate, and gather what their callers saw."""
    calls = []
    async with asyncio.TaskGroup() as group:
        for _ in range(round(per_second * seconds)):
            calls.append(group.create_task(fleet.call(endpoint)))
            await asyncio.sleep(1 / per_second)
    return [call.result() for call in calls]
