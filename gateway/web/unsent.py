"""Answers that have ended, and whose bytes wait for a caller that takes none."""

import asyncio
from collections.abc import Callable


class Unsent:
    """Watches what one connection has still to send. `timeout` in seconds."""

    __slots__ = ("_timeout", "_timer")

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, wire: asyncio.Transport, stuck: Callable[[], None]) -> None:
        """Call `stuck` once nothing of it has left for so long. Idempotent while it goes on."""
        if self._timer is None and (unsent := wire.get_write_buffer_size()):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._timeout, self._late, wire, stuck, unsent)

    def _late(self, wire: asyncio.Transport, stuck: Callable[[], None], former: int) -> None:
        self._timer = None
        if wire.get_write_buffer_size() == former:
            stuck()
        else:
            self.watch(wire, stuck)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
