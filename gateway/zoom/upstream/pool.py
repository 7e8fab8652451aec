"""Which connections are idle and which are in use.

Decisions are synchronous: nothing here awaits between reading and writing the lists.
"""

import asyncio
from typing import Final

from gateway.core.errors import UpstreamBrokenError
from gateway.zoom.upstream.connection import Connection

IDLE_LIMIT: Final = 50.0
"""Seconds after which an idle connection is closed: before the 60 s after which common load
balancers close theirs, so that no call meets a connection that is just being closed."""

MAX_IDLE: Final = 256
"""Idle connections that are kept; each takes some 50 KiB with TLS."""


class Pool:
    """The connections to one origin; the one used last is used first, so that others age."""

    def __init__(self, *, max_idle: int = MAX_IDLE, idle_limit: float = IDLE_LIMIT) -> None:
        self._max_idle = max_idle
        self._idle_limit = idle_limit
        self._idle: list[Connection] = []  # the one given back last stands last
        self._open: set[Connection] = set()  # all whose connection_lost is still to come
        self._timer: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None
        self.in_use = 0
        self.closed = False

    @property
    def idle(self) -> int:
        return len(self._idle)

    def take(self) -> Connection | None:
        """An idle connection that still works, now in use; or None."""
        while self._idle:
            connection = self._idle.pop()
            if connection.fit(self._idle_limit):
                self.in_use += 1
                return connection
            connection.cut()
        return None

    def add(self, connection: Connection) -> None:
        """A new connection, in use."""
        self._open.add(connection)
        self.in_use += 1

    def release(self, connection: Connection) -> None:
        """Take a connection back: keep it if it can carry another call, else cut it."""
        self.in_use -= 1
        if self.closed or len(self._idle) >= self._max_idle or not connection.park():
            connection.cut()
            return
        self._idle.append(connection)
        if self._timer is None:
            self._sweep_in(self._idle_limit)

    def lost(self, connection: Connection) -> None:
        """A connection is closed for good."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)

    async def close(self) -> None:
        """Cut all, the ones in use too, and return when their sockets are closed."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._idle.clear()
        for connection in self._open:
            connection.fail(UpstreamBrokenError("The gateway shuts down"))
        if self._open:
            if self._emptied is None:
                self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._emptied)

    def _sweep_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._idle and self._idle[0].idle_since + self._idle_limit <= now:
            self._idle.pop(0).cut()
        if self._idle:
            self._sweep_in(self._idle[0].idle_since + self._idle_limit - now)
