"""Writes that leave together, at the end of a turn of the event loop.

A write to a peer that sleeps wakes it, and that costs more than the write: on a virtual machine
several times as much. The second write of the same turn finds it awake. Nothing waits longer than
for what else is to do in the turn.
"""

import asyncio
from collections.abc import Callable

Leave = Callable[[bytes], None]
"""Writes something. Must not raise."""


class Outbox:
    """For one event loop, and many connections. Keeps the order in which things were put in."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: list[tuple[Leave, bytes]] = []

    def put(self, loop: asyncio.AbstractEventLoop, leave: Leave, data: bytes) -> None:
        """Have `leave(data)` called at the end of this turn."""
        if not self._held:
            loop.call_soon(self.flush)
        self._held.append((leave, data))

    def flush(self) -> None:
        """Write what is held: who is to write or end something else on a connection does it before.

        Cheap where nothing is held.
        """
        if not self._held:
            return
        held, self._held = self._held, []
        for leave, data in held:
            leave(data)
