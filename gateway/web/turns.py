"""What comes from many at once: so much of it is taken up in a turn of the loop.

A call costs the same whenever it comes; but who drips a body through each of two thousand
connections has two thousand things done at one moment, and a call that comes just then would wait
for them all. So what is beyond the first few waits, in its order, and calls go between.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from gateway.web.limits import ACCEPTED, ACCEPTED_ANYWAY, ACCEPTED_RATE

AT_ONCE: Final = 4
"""Pieces in a turn: some tenths of a millisecond, and a call takes a few turns."""


class Turns:
    """Small pieces of bodies. For one event loop."""

    __slots__ = ("_taken", "_waiting")

    def __init__(self) -> None:
        self._taken = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def take(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether one more may be taken up in this turn; it counts, then."""
        if self._taken >= AT_ONCE:
            return False
        if not self._taken:
            loop.call_soon(self._begin, loop)
        self._taken += 1
        return True

    def wait(self, go: Callable[[], None]) -> None:
        """Have `go()` called when its turn has come, after `take` said no. It must not raise."""
        self._waiting.append(go)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._taken = 0
        while self._waiting and self.take(loop):
            self._waiting.popleft()()


class Arrivals:
    """New connections of one listening socket."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since: float | None = None
        """When some were taken, and others still waited."""

    def due(self, now: float) -> int:
        """How many to take in this turn; `now` in seconds, of a clock that does not go back."""
        since, self._since = self._since, now
        waited = 0.0 if since is None else now - since
        return min(ACCEPTED, ACCEPTED_ANYWAY + int(waited * ACCEPTED_RATE))

    def all_in(self) -> None:
        """Nobody waits."""
        self._since = None
