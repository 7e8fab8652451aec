"""One socket to the API: waiting, back pressure in both directions, and silence.

Rules: one exchange at a time; the first failure stands; an answer that is complete stands
whatever happens to the connection later; every wait is one future, and one timer for each
connection watches them all.
"""

import asyncio
import contextlib
import select
import socket
import ssl
from collections.abc import Callable
from typing import Final, cast

from gateway.core.errors import UpstreamBrokenError, UpstreamTimeoutError
from gateway.outbox import Outbox
from gateway.zoom.upstream.reader import AnswerReader
from gateway.zoom.words import describe

READ_AHEAD: Final = 65_536
"""Bytes of a body that may wait for the caller before the socket is left unread; one read
of the event loop (256 KiB) can come on top. More is no faster, and a thousand slow callers
have a thousand times as much."""

ONE_READ: Final = 262_144
"""Bytes that the event loop reads at once, at most."""

TURNS_TO_READ: Final = 3
"""Turns of the event loop after which whatever lay in the socket has been read."""


class Connection(asyncio.Protocol):
    """A connection, idle or in use. Owned by the pool."""

    __slots__ = (
        "_drained",
        "_idle_timeout",
        "_loop",
        "_on_lost",
        "_outbox",
        "_poll",
        "_read_paused",
        "_secure",
        "_since",
        "_sock",
        "_timer",
        "_transport",
        "_unsent",
        "_waiter",
        "_write_paused",
        "failure",
        "idle_since",
        "in_use",
        "lost",
        "reader",
        "reused",
        "sent",
        "starved",
    )

    def __init__(
        self,
        sock: socket.socket,
        idle_timeout: float,
        on_lost: Callable[["Connection"], None],
        outbox: Outbox,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._secure = False
        self._idle_timeout = idle_timeout
        self._on_lost = on_lost
        self._outbox = outbox
        self._transport = cast("asyncio.Transport", None)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._unsent = 0
        self._read_paused = False
        self._write_paused = False
        self.reader = AnswerReader()
        self.failure: BaseException | None = None
        self.in_use = False
        self.lost = False
        self.reused = False
        self.idle_since = 0.0
        """The loop's time at which it was given back."""
        self.sent = False
        """Whether this request was sent to its end."""
        self.starved = False
        """Whether the next byte must come from our caller, so that Zoom's silence is right."""

    def __repr__(self) -> str:
        state = "lost" if self.lost else "in use" if self.in_use else "idle"
        failure = type(self.failure).__name__ if self.failure else "no failure"
        return f"<Connection {state}, status {self.reader.status}, {failure}>"

    @property
    def alive(self) -> bool:
        return not self.lost and self.failure is None and not self._transport.is_closing()

    def fit(self, idle_limit: float) -> bool:
        """Whether it can carry another call; `idle_limit`: seconds that it may have been idle."""
        return (
            not self.lost
            and self.failure is None
            and self._loop.time() - self.idle_since < idle_limit
            and not self._transport.is_closing()
            and not self._poll.poll(0)
        )

    @property
    def readable(self) -> bool:
        """Whether the socket holds bytes, an end or an error that nobody has seen yet."""
        return bool(self._poll.poll(0))

    @property
    def unheard(self) -> bool:
        """Whether the answer's head may lie in the socket, so that a write must wait.

        Zoom may refuse a call on its head alone, send its 401 and close; a write then fails,
        and the event loop closes the connection with the 401 unread. Without TLS, that is
        mended afterwards (`_salvage`), so nothing need be asked here.
        """
        return self._secure and not self.reader.head_complete and self.alive and self.readable

    @property
    def full(self) -> bool:
        """Whether Zoom takes less than we write."""
        return self._write_paused

    def begin(self, *, head_only: bool) -> None:
        """Start an exchange; `head_only` for HEAD."""
        self.in_use = True
        self.sent = self.starved = False
        self.reader.begin(head_only=head_only)

    def park(self) -> bool:
        """End an exchange, if the connection can carry another one; tell whether that is so.

        Both directions must be at their end, and nothing be in doubt.
        """
        reader = self.reader
        if not (
            self.sent
            and reader.complete
            and not reader.chunks
            and reader.keep_alive
            and not reader.surplus
            and self.failure is None
            and not self.lost
            and not self._transport.is_closing()
        ):
            return False
        self.in_use = False
        self.reused = True
        self.idle_since = self._loop.time()
        if self._read_paused:
            self._resume_reading()
        return True

    # Who writes waits next, by `more()`, or calls `touch()`.

    def write(self, data: bytes) -> None:
        self._outbox.flush()
        self._transport.write(data)

    def post(self, data: bytes) -> None:
        """Write at the end of this turn of the event loop."""
        self._outbox.put(self._loop, self._leave, data)

    def _leave(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def take(self) -> bytes:
        """All of the body that has come; makes room for more."""
        data = self.reader.take()
        if self._read_paused:
            self._resume_reading()
        return data

    def touch(self) -> None:
        """Count silence from now."""
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._idle_timeout, self._watch)

    def fail(self, error: BaseException) -> None:
        """Cut the connection. Unless the answer is complete, waiting for it raises `error`."""
        if self.failure is None and not self.reader.complete:
            self.failure = error
        self._transport.abort()
        self._wake()

    def cut(self) -> None:
        """Close at once. What is idle or complete needs no farewell."""
        self._transport.abort()

    def more(self) -> asyncio.Future[None]:
        """What is done when more of the answer may be there, or none will come."""
        self._waiter = waiter = self._loop.create_future()
        self.touch()
        return waiter

    async def writable(self) -> bool:
        """Wait until more of the request may be written; False if that is of no use any more.

        What Zoom has said already is read first, see `unheard`.
        """
        while self._write_paused and self.alive:
            self._drained = drained = self._loop.create_future()
            self.touch()
            try:
                await drained
            finally:
                self._drained = None
        for _ in range(TURNS_TO_READ):
            if not self.unheard:
                break
            await asyncio.sleep(0)
        return self.alive

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._secure = transport.get_extra_info("sslcontext") is not None

    def data_received(self, data: bytes) -> None:
        if not self.in_use:
            # An answer that nobody asked for, such as the 408 of a front that grows tired.
            self.cut()
            return
        self._since = self._loop.time()
        reader = self.reader
        try:
            reader.feed(data)
        except UpstreamBrokenError as error:
            self.fail(error)
            return
        if reader.buffered > READ_AHEAD and not self._read_paused and self.alive:
            self._read_paused = True
            self._transport.pause_reading()
        waiter = self._waiter
        # Half a head is no news.
        if waiter is not None and reader.head_complete and not waiter.done():
            waiter.set_result(None)

    def eof_received(self) -> None:
        if self._unfinished:
            try:
                self.reader.end(proved=self._end_proved())
            except UpstreamBrokenError as error:
                self.failure = error
            self._wake()
        # Not left to the event loop, which would go on writing what is of no use any more.
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if exc is not None and not self._secure:
            self._salvage()
        if self._unfinished:
            why = "The connection to Zoom broke"
            self.failure = UpstreamBrokenError(f"{why}: {describe(exc)}" if exc else why)
        if self._timer is not None:
            self._timer.cancel()
        self.reader.free()
        self._wake()
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._since = self._loop.time()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _end_proved(self) -> bool:
        """Whether the end is one that nobody but Zoom can have made.

        Anybody on the way can end TCP; TLS has a message for it (RFC 9112, section 9.8). The
        event loop does not tell which it was, but the TLS object has seen the message or not.
        """
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return not tls.read(1)
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    @property
    def _unfinished(self) -> bool:
        """Whether the end of the connection would be the end of a call."""
        return self.in_use and self.failure is None and not self.reader.complete

    def _salvage(self) -> None:
        """A write failed, but an answer may lie in the socket: read it before it is closed.

        An end that is seen here proves nothing: after a reset, the socket has one, too.
        """
        with contextlib.suppress(OSError, UpstreamBrokenError):
            while self._unfinished and (data := self._sock.recv(ONE_READ)):
                self.reader.feed(data)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._drained is not None and not self._drained.done() and not self.alive:
            self._drained.set_result(None)

    def _resume_reading(self) -> None:
        if self.alive:
            self._read_paused = False
            self._transport.resume_reading()

    def _watch(self) -> None:
        """Cut the connection if it is Zoom's turn and nothing has moved for too long.

        Armed by `touch()` at the next wait, if it is nobody's turn now.
        """
        self._timer = None
        waiter = self._waiter
        reading = waiter is not None and not waiter.done() and not self.starved
        # While we leave its answer unread, Zoom may rightly leave our body unread.
        writing = self._drained is not None and not self._read_paused
        if not self.alive or not (reading or writing):
            return
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:  # Zoom does take bytes, but too few for resume_writing
            self._unsent = unsent
            self._since = self._loop.time()
        left = self._since + self._idle_timeout - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._watch)
        else:
            silence = f"{self._idle_timeout:g} s"
            self.fail(UpstreamTimeoutError(f"Zoom was silent for {silence}"))
