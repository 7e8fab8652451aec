"""This replica's heartbeat in the store, and who else is there."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from gateway.core.errors import StoreError
from gateway.core.presence import Presence, Sighting
from gateway.ports import Clock, TokenStore

BEAT: Final = 5.0
"""Seconds between heartbeats: several fit into the time that a replica is shown."""

LOOKS: Final = 5
"""Looks between two heartbeats for another token, which is told without waiting."""

FAREWELL: Final = 1.0
"""Seconds for saying good-bye: who does not is forgotten all the same."""


class Heartbeat:
    """One per replica. In quiet times it is the only one that writes, so it is the first to find
    that the store takes nothing.
    """

    def __init__(
        self,
        store: TokenStore,
        clock: Clock,
        presence: Callable[[], Presence],
        failed: Callable[[StoreError], None],
        defect: Callable[[Exception], None],
    ) -> None:
        """`failed` is told why the store took no heartbeat, `defect` of an error of our own."""
        self._store = store
        self._clock = clock
        self._presence = presence
        self._failed = failed
        self._defect = defect
        self._task: asyncio.Task[None] | None = None
        self._seen: tuple[Presence, ...] = ()
        self._at: float | None = None

    @property
    def sighting(self) -> Sighting:
        """Who was there at the last heartbeat that worked, this replica included."""
        age = None if self._at is None else self._clock.now() - self._at
        return Sighting(self._seen, age)

    def start(self) -> None:
        """Begin. Call it inside the running loop."""
        self._task = asyncio.create_task(self._run(), name="heartbeat")

    async def _run(self) -> None:
        failing = False
        while True:
            told: Presence | None = None
            try:
                told = self._presence()
                self._seen = tuple(await self._store.beat(told))
                self._at = self._clock.now()
                failing = False
            except StoreError as problem:
                # Once: it may be that only heartbeats are refused.
                if not failing:
                    self._failed(problem)
                failing = True
            except Exception as problem:  # noqa: BLE001  a defect must not end it
                self._defect(problem)
            await self._rest(told)

    async def _rest(self, told: Presence | None) -> None:
        """Until the next heartbeat is due, or there is something new to tell."""
        for _ in range(LOOKS):
            await asyncio.sleep(BEAT / LOOKS)
            if told is not None and self._presence().generations != told.generations:
                return

    async def close(self) -> None:
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self._store.leave(self._presence().name)
