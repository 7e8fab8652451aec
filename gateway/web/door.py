"""Takes connections of a listening socket, or says at once that there are too many.

The event loops' own servers are of no use for that: uvloop's closes the listening socket for good
when no file descriptor is free, and neither asks whether a connection may come.
"""

import asyncio
import contextlib
import errno
import socket
import time
import uuid
from collections import deque
from typing import Any, Final, Protocol

from gateway.core.caller import caller_at
from gateway.web.crowd import Group, group_of
from gateway.web.errors import Problem, error_answer, reason
from gateway.web.limits import ACCEPT_PAUSE, BACKLOG, FAREWELL, FAREWELLS, HANDSHAKE
from gateway.web.tls import Greeter
from gateway.web.turns import Arrivals

STARVED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What says that the process, or the machine, has nothing left for one more connection."""

EVERYBODY: Final = "connections"
"""The limit that is about no caller's connections, but about all of them."""

_PASSES: Final = frozenset({errno.EAGAIN, errno.EINTR, errno.ECONNABORTED, errno.EPROTO})

_TOO_MANY: Final = Problem(503, "too_many_connections", "The gateway has too many connections.")

_DROPPED: Final = 65_536
"""Bytes of a refused call that are dropped, so that no reset destroys its answer."""


class House(Protocol):
    """What is behind the door."""

    def make_room(self, group: Group) -> str:
        """For one more connection; give why there is none, or `""`."""

    def turned_away(self, limit: str) -> None:
        """One was refused, for what `make_room` gave."""

    def connection(self, group: Group) -> asyncio.Protocol:
        """Make one, which counts from now on."""

    def gone(self, connection: Any) -> None:
        """It did not come in after all, or was let go as it came: it counts no more.

        Should it have begun, end it at once. Idempotent.
        """

    def starved(self) -> None:
        """No file descriptor is free: let one go, if there is one."""

    def unhandled(self, error: BaseException) -> None:
        """Hear of an error that nobody expected."""

    @property
    def patience(self) -> float:
        """Seconds for a header; no TLS handshake takes as long."""


class Door:
    """One listening socket. `open` it inside the running loop."""

    def __init__(
        self, listener: socket.socket, house: House, greeter: Greeter | None = None
    ) -> None:
        """With a `greeter`, callers must speak TLS."""
        self._listener = listener
        self._house = house
        self._greeter = greeter
        self._loop = asyncio.get_running_loop()
        self._coming: dict[asyncio.Task[None], tuple[socket.socket, asyncio.Protocol]] = {}
        """Connections on their way in: TLS takes a while."""
        self._refused: deque[socket.socket] = deque()
        self._arrivals = Arrivals()
        self._resuming: asyncio.TimerHandle | None = None
        self._closed = False

    def open(self) -> None:
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener.fileno(), self._accept)

    async def settled(self) -> None:
        """Return when nobody is on the way in."""
        while self._coming:
            await asyncio.wait(tuple(self._coming))

    async def close(self) -> None:
        """Take nothing more; what is not through the door yet is ended. Idempotent."""
        self.shut()
        for task in tuple(self._coming):
            task.cancel()
        await self.settled()
        while self._refused:
            self._let_go()

    def shut(self) -> None:
        """Take nothing more. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._resuming is not None:
            self._resuming.cancel()
        else:
            self._loop.remove_reader(self._listener.fileno())
        self._listener.close()

    def take_waiting(self) -> None:
        """Take what the kernel holds, all at once: the end is near."""
        if self._resuming is None and not self._closed:
            self._accept_some(BACKLOG)

    def _accept(self) -> None:
        self._accept_some(self._arrivals.due(time.monotonic()))

    def _accept_some(self, most: int) -> None:
        for _ in range(most):
            try:
                sock, address = self._listener.accept()
            except OSError as problem:
                if problem.errno == errno.EAGAIN:
                    self._arrivals.all_in()
                if problem.errno in _PASSES:
                    return
                self._rest(problem)
                return
            sock.setblocking(False)
            self._take(sock, address)

    def _rest(self, problem: OSError) -> None:
        """Leave what comes to the kernel for a while: trying again at once would only spin."""
        if problem.errno in STARVED:
            self._house.starved()
        self._loop.remove_reader(self._listener.fileno())
        self._resuming = self._loop.call_later(ACCEPT_PAUSE, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _take(self, sock: socket.socket, address: Any) -> None:
        host = str(address[0]) if isinstance(address, tuple) else ""
        group = group_of(caller_at(host))
        limit = self._house.make_room(group)
        if limit and not (limit == EVERYBODY and self._send_away_oldest()):
            self._house.turned_away(limit)
            self._refuse(sock)
            return
        connection = self._house.connection(group)
        task = self._loop.create_task(self._let_in(sock, host, connection))
        self._coming[task] = sock, connection
        task.add_done_callback(self._came)

    def _send_away_oldest(self) -> bool:
        """End the longest handshake, so that who connects and is silent bars nobody."""
        if self._greeter is not None:
            for task, (_, connection) in self._coming.items():
                if self._greeter.end(task):
                    self._house.gone(connection)
                    return True
        return False

    def _came(self, task: "asyncio.Task[None]") -> None:
        sock, connection = self._coming.pop(task)
        error = None if task.cancelled() else task.exception()
        if not task.cancelled() and error is None:
            return
        self._house.gone(connection)
        sock.close()
        if error is not None and not isinstance(error, OSError):  # gone, or no TLS of ours
            self._house.unhandled(error)

    async def _let_in(self, sock: socket.socket, host: str, connection: asyncio.Protocol) -> None:
        if self._greeter is None:
            await self._loop.connect_accepted_socket(lambda: connection, sock)
        else:
            patience = min(HANDSHAKE, self._house.patience)
            await self._greeter.greet(sock, host, lambda: connection, patience)

    def _refuse(self, sock: socket.socket) -> None:
        if self._greeter is None:
            with contextlib.suppress(OSError):
                sock.send(_refusal())
                sock.shutdown(socket.SHUT_WR)
        self._refused.append(sock)
        if len(self._refused) > FAREWELLS:
            self._let_go()
        self._loop.call_later(FAREWELL, self._over, sock)

    def _over(self, sock: socket.socket) -> None:
        if self._refused and self._refused[0] is sock:
            self._let_go()

    def _let_go(self) -> None:
        sock = self._refused.popleft()
        with contextlib.suppress(OSError):
            sock.recv(_DROPPED)
        sock.close()


def _refusal() -> bytes:
    fields, body = error_answer(_TOO_MANY)
    fields += [
        (b"Content-Length", b"%d" % len(body)),
        (b"Connection", b"close"),
        (b"X-Request-Id", uuid.uuid4().hex.encode()),
    ]
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    return b"HTTP/1.1 503 %b\r\n%b\r\n%b" % (reason(503), lines, body)
