"""Small pieces of bodies, when many come at once: so many are taken up in a turn of the loop.

A call costs the same whenever it comes; but who drips a body through each of two thousand
connections has two thousand things done at one moment, and a call that comes just then would wait
for them all. So what is beyond the first few waits, in its order, and calls go between.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

AT_ONCE: Final = 32
"""Pieces in a turn: about a millisecond's work."""


class Turns:
    """For one event loop."""

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
