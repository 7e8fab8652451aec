"""One caller's connection: aiohttp's parser and request loop, with answers of our own."""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from gateway.core.caller import Caller, caller_at, names_in
from gateway.core.errors import CallRefusedError, GatewayError
from gateway.core.headers import MAX_HEAD
from gateway.web.answer import Answer
from gateway.web.handler import CallHandler
from gateway.web.limits import (
    HEAD_TIMEOUT,
    KEEPALIVE,
    LINGER,
    LINGER_BROKEN,
    MAX_FIELD,
    MAX_FIELDS,
    MAX_LINE,
    READ_BUFFER,
    STALL,
    WRITE_BUFFER,
)
from gateway.web.request import Request, parse_refusal, too_large
from gateway.web.wire import CallerGoneError

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends a reset instead of an orderly end."""

_NOBODY: Final = caller_at("0.0.0.0")  # noqa: S104  compared with, not bound
"""Who left before its address could be asked for; it must not pass for a Unix socket."""


class Connection(RequestHandler):
    """Implements `Wire`.

    aiohttp parses, queues pipelined calls and runs one handler at a time; every error page
    of its own is replaced, and what its parser lets through is caught.
    """

    __slots__ = (
        "_begun",
        "_broken",
        "_calls",
        "_failed",
        "_head_size",
        "_head_timer",
        "_socket",
        "caller",
        "caller_name",
        "peer",
        "receiving",
    )

    def __init__(
        self, server: web.Server, calls: CallHandler, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=KEEPALIVE,
            access_log=cast(Any, None),
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=MAX_FIELDS,
            lingering_time=LINGER,
            read_bufsize=READ_BUFFER,
            auto_decompress=False,
        )
        self._calls = calls
        self._socket: asyncio.Transport | None = None
        """Like `transport`, which aiohttp forgets as soon as it starts to close it."""
        self._begun = False
        """A call was received, or is waited for. Over TLS, bytes may come before the request loop
        has its first turn."""
        self._failed = False
        self._broken = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_size = 0
        """Bytes of a header that is not complete."""
        self.receiving: StreamReader | None = None
        self.peer = _NOBODY
        self.caller = ""
        self.caller_name = ""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def secure(self) -> bool:
        return self.ssl_context is not None

    @property
    def own_address(self) -> str:
        address = self.sockname
        return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "localhost"

    @property
    def idle(self) -> bool:
        """Whether no call is being received or answered."""
        waiting = self._waiter is not None and not self._waiter.done()
        return waiting and self._head_timer is None

    def send(self, data: bytes) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise CallerGoneError("the caller went away")
        transport.write(data)

    async def drained(self) -> None:
        try:
            async with asyncio.timeout(STALL):
                await self._drain_helper()
        except TimeoutError:
            raise CallerGoneError("the caller takes nothing of its answer") from None
        except ConnectionError as error:
            raise CallerGoneError("the caller went away") from error
        if self.transport is None:
            raise CallerGoneError("the caller went away")

    def cut(self, *, reset: bool) -> None:
        transport = self._socket
        if transport is None:
            return
        if reset and (sock := transport.get_extra_info("socket")) is not None:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
        self.force_close()

    def last_call(self, *, framing_broken: bool) -> None:
        self._lingering_time = 0.0
        self._broken = framing_broken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast(asyncio.Transport, transport)
        super().connection_made(transport)
        certificate = transport.get_extra_info("peercert")
        self.peer = _peer(transport, certificate)
        self.caller = str(self.peer)
        self.caller_name = self.peer.name
        if self.secure:
            self._socket.set_write_buffer_limits(high=WRITE_BUFFER)
            if certificate and _ended(certificate):
                self.cut(reset=False)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_head_timer()
        self._socket = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._failed:
            return
        try:
            super().data_received(data)
        except Exception as error:  # noqa: BLE001  a URL class, say, that dislikes the target
            self._fail(error)
        messages = self._messages
        if messages and isinstance(messages[-1][0], _ErrInfo):
            self._failed = True
            self._spoil(messages[-1][0].exc)
        self._watch_head(data)

    def log_exception(self, *_args: Any, **kw: Any) -> None:
        """Hear what escaped into aiohttp's request loop.

        That the rest of a body broke off while the loop dropped it is no news.
        """
        error = kw.get("exc_info")
        gone = self.transport is None or isinstance(error, GatewayError | OSError)
        if isinstance(error, BaseException) and not gone:
            self._calls.unhandled(error)

    async def _handle_request(
        self,
        request: Any,
        start_time: float | None,  # noqa: ARG002  aiohttp's signature
        request_handler: Callable[[Any], Awaitable[Any]],
    ) -> tuple[Any, bool]:
        self._request_in_progress = True
        self._current_request = request
        try:
            if self.writing_paused:
                await self.drained()
            answer: Answer = await request_handler(request)
            if self._broken:
                await self._linger_broken()
        finally:
            self._current_request = None
            self._request_in_progress = False
        return answer, False

    def _make_error_handler(self, err_info: _ErrInfo) -> Callable[[Any], Awaitable[Any]]:
        refusal = parse_refusal(err_info.exc)

        def handler(request: Request) -> Awaitable[Answer]:
            return self._calls.refuse(request, refusal)

        return handler

    async def _linger_broken(self) -> None:
        """Let the answer arrive before the end does: unread bytes would turn it into a reset.

        TLS has no half that could be closed: there the caller learns from the answer alone that
        it is to leave.
        """
        self._close = True
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if transport.can_write_eof():
            transport.write_eof()
        self._resume_transport_reading()
        await asyncio.sleep(LINGER_BROKEN)  # a lost connection cancels this

    def _fail(self, error: Exception) -> None:
        """Queue an answer to what cannot be parsed."""
        self._messages.append((_ErrInfo(400, error, ""), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _spoil(self, error: BaseException) -> None:
        """Tell whoever reads the body that broke; aiohttp's own parser leaves it waiting."""
        body = self._messages[-2][1] if len(self._messages) > 1 else self.receiving
        if body is not None and not body.is_eof():
            body.set_exception(parse_refusal(error))

    def _watch_head(self, data: bytes) -> None:
        """Give a header HEAD_TIMEOUT seconds to arrive, from its first byte."""
        if not self._awaits_head():
            self._stop_head_timer()
            return
        if self._head_timer is None and data.strip(b"\r\n"):
            self._head_timer = self._loop.call_later(HEAD_TIMEOUT, self._head_late)
        self._head_size += len(data)
        if self._head_size > MAX_HEAD and not self._failed:
            self._failed = True
            self._fail(too_large("The header is too long."))

    def _awaits_head(self) -> bool:
        waiter = self._waiter
        self._begun = self._begun or waiter is not None or bool(self._messages)
        return not self._begun if waiter is None else not waiter.done()

    def _stop_head_timer(self) -> None:
        self._head_size = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        self._head_timer = None
        if not self._failed:
            self._failed = True
            self._fail(
                CallRefusedError(408, "header_timeout", "The header came too slowly.", close=True)
            )


def _peer(transport: asyncio.BaseTransport, certificate: Mapping[str, Any] | None) -> Caller:
    peer = transport.get_extra_info("peername")
    # OpenSSL gives a certificate only once it has verified it.
    names = names_in((certificate or {}).get("subjectAltName", ()))
    if isinstance(peer, tuple):
        return caller_at(str(peer[0]), names)
    return _NOBODY if peer is None else caller_at("", names)


def _ended(certificate: Mapping[str, Any]) -> bool:
    """Whether it holds no more: a session of TLS 1.2 that is resumed is not verified again."""
    return ssl.cert_time_to_seconds(certificate["notAfter"]) <= time.time()
