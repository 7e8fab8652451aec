"""Connections over TLS, from their first byte to the end of their handshake.

asyncio's own servers keep one `SSLContext` for good, and a context never forgets a CA; they tell
nobody of handshakes that fail. Here each connection gets the context of the moment.
"""

import asyncio
import contextvars
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final, NamedTuple

from gateway.web.limits import HANDSHAKES, TLS_FAREWELL

_TLS: Final = 22
"""How TLS begins: a record with a handshake (RFC 8446 section 5.1)."""

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


class NoHandshakeError(OSError):
    """A connection came to nothing, and whoever must know was told."""


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
    """For a `Greeter`."""

    sslobject_class = _Speaking
    admits = b""
    """Differs from that of another context if the two do not let in the same callers."""

    def wrap_bio(self, incoming: Any, outgoing: Any, *rest: Any, **more: Any) -> Any:
        made = super().wrap_bio(incoming, outgoing, *rest, **more)
        made.outgoing, made.peer = outgoing, _talking_to.get()  # type: ignore[attr-defined]  # of our class
        return made


class Greeter:
    """Makes protocols of connections that speak TLS.

    `context` gives the one for a new connection; `failed` hears of each that came to nothing.
    """

    def __init__(self, context: Callable[[], Context], failed: Callable[[Failed], None]) -> None:
        self._context = context
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._greetings: dict[asyncio.Task[Any], None] = {}
        """The oldest comes first."""
        self._crowded: set[asyncio.Task[Any]] = set()

    async def greet(
        self,
        made: socket.socket,
        address: str,
        factory: Callable[[], asyncio.Protocol],
        patience: float,
    ) -> None:
        """Shake hands within `patience` seconds; whoever calls this closes `made` if it raises.

        Raises NoHandshakeError if there comes no connection of it. Cancel it to end it.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  told to the type checker
        if len(self._greetings) >= HANDSHAKES:
            self.end(next(iter(self._greetings)))
        self._greetings[task] = None
        try:
            await self._shake_hands(made, address, factory, patience)
        except asyncio.CancelledError:
            if task not in self._crowded:
                raise
            self._failed(Failed(Failure.CROWDED, address))
            raise NoHandshakeError from None
        except NoHandshakeError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it costs this connection alone
            self._failed(_failed(error, address))
            raise NoHandshakeError from None
        finally:
            self._greetings.pop(task, None)
            self._crowded.discard(task)

    def end(self, greeting: asyncio.Task[Any]) -> bool:
        """End the handshake of this task to make room; tell whether it was under way."""
        if greeting not in self._greetings:
            return False
        del self._greetings[greeting]
        self._crowded.add(greeting)
        greeting.cancel()
        return True

    async def _shake_hands(
        self,
        made: socket.socket,
        address: str,
        factory: Callable[[], asyncio.Protocol],
        patience: float,
    ) -> None:
        ends = self._loop.time() + patience
        async with asyncio.timeout(patience):
            first = await self._first_byte(made)
        if first != _TLS:
            self._refuse(made, first, address)
            raise NoHandshakeError
        _talking_to.set(made)
        await self._loop.connect_accepted_socket(
            factory,
            made,
            ssl=self._context(),
            ssl_handshake_timeout=max(0.1, ends - self._loop.time()),
            ssl_shutdown_timeout=TLS_FAREWELL,
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
