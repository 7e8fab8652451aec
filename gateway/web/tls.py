"""Connections over TLS, from their acceptance to the end of their handshake.

asyncio's own servers keep one `SSLContext` for good, and a context never forgets a CA; they tell
nobody of handshakes that fail. Here each connection gets the context of the moment.
"""

import asyncio
import contextvars
import errno
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final, NamedTuple

from gateway.web.limits import FAREWELL, HANDSHAKE, HANDSHAKES

_TLS: Final = 22
"""How TLS begins: a record with a handshake (RFC 8446 section 5.1)."""

_TURN: Final = 64
"""Connections accepted before others have their turn."""

_PAUSE: Final = 1.0
"""Seconds without accepting when the system has nothing left for one more connection."""

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_BODY: Final = (
    b'{"code": 400, "message": "This port speaks HTTP over TLS: use https://, or ask whoever runs '
    b'the gateway where it listens without."}'
)
_PLAIN: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
    b"X-Zoom-Gateway-Error: tls_required\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
    % (len(_BODY), _BODY)
)

_METHODS: Final = frozenset(b"GHPDOCT")
"""How requests without TLS begin: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT, TRACE."""


class Failure(StrEnum):
    """Why there was no connection."""

    PLAIN_HTTP = "plain_http"
    NOT_TLS = "not_tls"
    TIMEOUT = "timeout"
    GONE = "gone"
    """The other end closed it, or did not believe our certificate without a word."""
    DISTRUSTED = "distrusted"
    """The other end said that it does not believe our certificate."""
    NO_CERTIFICATE = "no_certificate"
    BAD_CERTIFICATE = "bad_certificate"
    """The caller's cannot be verified."""
    VERSION = "version"
    CIPHER = "cipher"
    CROWDED = "crowded"
    """Too many others began after it."""
    OTHER = "other"


_REASONS: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": Failure.NO_CERTIFICATE,
    "CERTIFICATE_VERIFY_FAILED": Failure.BAD_CERTIFICATE,
    "UNSUPPORTED_PROTOCOL": Failure.VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": Failure.VERSION,
    "VERSION_TOO_LOW": Failure.VERSION,
    "WRONG_VERSION_NUMBER": Failure.NOT_TLS,
    "NO_SHARED_CIPHER": Failure.CIPHER,
    "NO_SHARED_SIGNATURE_ALGORITHMS": Failure.CIPHER,
    "TLSV1_ALERT_UNKNOWN_CA": Failure.DISTRUSTED,
    "SSLV3_ALERT_BAD_CERTIFICATE": Failure.DISTRUSTED,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": Failure.DISTRUSTED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": Failure.DISTRUSTED,
}
"""OpenSSL's words."""


class Failed(NamedTuple):
    """A handshake that failed."""

    kind: Failure
    address: str
    """The other end's, without its port."""
    detail: str = ""
    """What OpenSSL did not like about the caller's certificate."""


_talking_to: contextvars.ContextVar[socket.socket | None] = contextvars.ContextVar(
    "_talking_to", default=None
)


class _Speaking(ssl.SSLObject):
    """Sends the alert that says why a handshake failed; asyncio drops it with the connection."""

    outgoing: ssl.MemoryBIO
    peer: socket.socket | None

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            if self.peer is not None and (alert := self.outgoing.read()):
                with suppress(OSError):
                    self.peer.send(alert)
            raise


class Context(ssl.SSLContext):
    """For an `Acceptor`."""

    sslobject_class = _Speaking

    def wrap_bio(self, incoming: Any, outgoing: Any, *rest: Any, **more: Any) -> Any:
        made = super().wrap_bio(incoming, outgoing, *rest, **more)
        made.outgoing, made.peer = outgoing, _talking_to.get()  # type: ignore[attr-defined]  # of our class
        return made


class Acceptor:
    """Takes connections from sockets that listen, and makes protocols of those that speak TLS.

    `context` gives the one for a new connection; `failed` hears of each that came to nothing.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        factory: Callable[[], asyncio.Protocol],
        context: Callable[[], ssl.SSLContext],
        failed: Callable[[Failed], None],
    ) -> None:
        self._sockets = sockets
        self._factory = factory
        self._context = context
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._greetings: dict[asyncio.Task[None], socket.socket] = {}
        self._crowded: set[asyncio.Task[None]] = set()
        self._resuming: set[asyncio.TimerHandle] = set()

    def start(self) -> None:
        for one in self._sockets:
            self._loop.add_reader(one, self._accept, one)

    def close(self) -> None:
        """Accept nothing more; handshakes under way go on."""
        for handle in self._resuming:
            handle.cancel()
        for one in self._sockets:
            if one.fileno() >= 0:
                self._loop.remove_reader(one)
                one.close()

    async def settled(self) -> None:
        """Return when no handshake is under way."""
        while self._greetings:
            await asyncio.wait(tuple(self._greetings))

    async def abort(self) -> None:
        """End the handshakes that are under way."""
        for task in tuple(self._greetings):
            task.cancel()
        await self.settled()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_TURN):
            try:
                made, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as problem:
                if problem.errno in _EXHAUSTED:
                    self._rest(listening)
                    return
                continue  # that caller left meanwhile (accept(2))
            made.setblocking(False)
            if len(self._greetings) - len(self._crowded) >= HANDSHAKES:
                self._end_oldest()
            task = self._loop.create_task(self._greet(made, str(address[0])))
            self._greetings[task] = made
            task.add_done_callback(self._greeted)

    def _rest(self, listening: socket.socket) -> None:
        self._loop.remove_reader(listening)

        def resume() -> None:
            self._resuming.discard(handle)
            self._loop.add_reader(listening, self._accept, listening)

        handle = self._loop.call_later(_PAUSE, resume)
        self._resuming.add(handle)

    def _end_oldest(self) -> None:
        oldest = next(task for task in self._greetings if task not in self._crowded)
        self._crowded.add(oldest)
        oldest.cancel()

    def _greeted(self, task: "asyncio.Task[None]") -> None:
        # One that was cancelled before its first step has closed nothing.
        made = self._greetings.pop(task)
        if task.cancelled() and made.fileno() >= 0:
            made.close()
        self._crowded.discard(task)

    async def _greet(self, made: socket.socket, address: str) -> None:
        try:
            await self._shake_hands(made, address)
        except asyncio.CancelledError:
            if asyncio.current_task() in self._crowded:
                self._failed(Failed(Failure.CROWDED, address))
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it costs this connection alone
            self._failed(_failed(error, address))

    async def _shake_hands(self, made: socket.socket, address: str) -> None:
        begun = self._loop.time()
        try:
            async with asyncio.timeout(HANDSHAKE):
                first = await self._first_byte(made)
        except BaseException:
            made.close()
            raise
        if first != _TLS:
            self._refuse(made, first, address)
            return
        _talking_to.set(made)
        await self._loop.connect_accepted_socket(
            self._factory,
            made,
            ssl=self._context(),
            ssl_handshake_timeout=max(0.1, begun + HANDSHAKE - self._loop.time()),
            ssl_shutdown_timeout=FAREWELL,
        )

    async def _first_byte(self, made: socket.socket) -> int | None:
        """What the caller says first, without taking it; None: it left. Raises OSError."""
        while True:
            try:
                seen = made.recv(1, socket.MSG_PEEK)
            except (BlockingIOError, InterruptedError):
                await self._readable(made)
            else:
                return seen[0] if seen else None

    async def _readable(self, made: socket.socket) -> None:
        waiting: asyncio.Future[None] = self._loop.create_future()

        def ready() -> None:
            self._loop.remove_reader(made)
            if not waiting.done():
                waiting.set_result(None)

        self._loop.add_reader(made, ready)
        try:
            await waiting
        finally:
            self._loop.remove_reader(made)

    def _refuse(self, made: socket.socket, first: int | None, address: str) -> None:
        """End a connection that speaks no TLS. One that says nothing is a probe, and no failure."""
        with made:
            if first in _METHODS:
                with suppress(OSError):
                    made.send(_PLAIN)
                    # What was sent to us and is not read would turn the answer into a reset.
                    made.shutdown(socket.SHUT_WR)
                    made.recv(1 << 16)
        if first is not None:
            kind = Failure.PLAIN_HTTP if first in _METHODS else Failure.NOT_TLS
            self._failed(Failed(kind, address))


def _failed(error: Exception, address: str) -> Failed:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failed(Failure.BAD_CERTIFICATE, address, error.verify_message)
    if isinstance(error, ssl.SSLError):
        return Failed(_REASONS.get(error.reason or "", Failure.OTHER), address, error.reason or "")
    if isinstance(error, TimeoutError) or "taking longer" in str(error):
        return Failed(Failure.TIMEOUT, address)
    if isinstance(error, OSError):
        return Failed(Failure.GONE, address)
    return Failed(Failure.OTHER, address, type(error).__name__)
