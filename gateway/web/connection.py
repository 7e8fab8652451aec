"""One caller's connection: aiohttp's parser and request loop, with answers of our own."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice
from typing import Any, Final, cast

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo
from aiohttp.web_server import Server

from gateway.core.errors import CallRefusedError, GatewayError
from gateway.web.answer import Answer
from gateway.web.crowd import Crowd, Group
from gateway.web.handler import CallHandler
from gateway.web.heads import HeadMeter, size_of
from gateway.web.limits import (
    LINGER,
    LINGER_BROKEN,
    MAX_FIELD,
    MAX_LINE,
    READ_BUFFER,
    WRITE_BUFFER,
)
from gateway.web.peer import NOBODY, has_ended, holds_bytes, peer_of
from gateway.web.request import Request, parse_refusal, too_large, too_late
from gateway.web.trailers import TrailerGuard
from gateway.web.unsent import Unsent
from gateway.web.wire import CallerGoneError

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends a reset instead of an orderly end."""


class Connection(RequestHandler):
    """Implements `Wire`.

    aiohttp parses, queues pipelined calls and runs one handler at a time; every error page
    of its own is replaced, and what its parser lets through is caught.
    """

    __slots__ = (
        "_begun",
        "_broken",
        "_calls",
        "_crowd",
        "_ending",
        "_failed",
        "_head",
        "_head_timer",
        "_leaving",
        "_socket",
        "_trailers",
        "_unsent",
        "caller",
        "caller_name",
        "group",
        "limits",
        "parked",
        "peer",
        "receiving",
    )

    def __init__(
        self, server: Server, calls: CallHandler, crowd: Crowd, group: Group = None
    ) -> None:
        """`group` says where it comes from, for the crowd that it belongs to."""
        self.limits = limits = crowd.limits
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.keepalive_timeout,
            access_log=cast(Any, None),
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=limits.header_fields,
            lingering_time=LINGER,
            read_bufsize=READ_BUFFER,
            auto_decompress=False,
        )
        self._calls = calls
        self._crowd = crowd
        self.group = group
        self.parked = False
        self._socket: asyncio.Transport | None = None
        """Like `transport`, which aiohttp forgets as soon as it starts to close it."""
        self._begun = False
        """A call was received, or is waited for. Over TLS, bytes may come before the request loop
        has its first turn."""
        self._failed = False
        self._broken = False
        self._ending = False
        """Nothing that still comes is a call: see `TrailerGuard`."""
        self._leaving = False
        """The call in hand is the last."""
        self._trailers = TrailerGuard()
        self._unsent = Unsent(limits.send_timeout)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head = HeadMeter()
        self.receiving: StreamReader | None = None
        self.peer = NOBODY
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
        """Whether no call is being received or answered, nor lies in the socket unread."""
        waiting = self._waiter is not None and not self._waiter.done()
        return waiting and self._head_timer is None and not holds_bytes(self._socket)

    @property
    def ending(self) -> bool:
        return self._leaving or (self._ending and not self._messages)

    def send(self, data: bytes) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise CallerGoneError("the caller went away")
        transport.write(data)

    async def drained(self) -> None:
        transport = self._socket
        while self.writing_paused and transport is not None:
            unsent = transport.get_write_buffer_size()
            try:
                async with asyncio.timeout(self.limits.send_timeout):
                    await self._drain_helper()
            except TimeoutError:
                self._drain_waiter = None  # it was cancelled with the wait
                if transport.get_write_buffer_size() == unsent:
                    self._takes_nothing()
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

    def last_call(self) -> None:
        self._broken = True

    def see_out(self) -> None:
        """Carry no call that is not in hand by now."""
        self._leaving = True
        if not self._request_in_progress:
            self.cut(reset=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = wire = cast(asyncio.Transport, transport)
        certificate = wire.get_extra_info("peercert")
        self.peer = peer_of(wire, certificate)
        self.caller = str(self.peer)
        self.caller_name = self.peer.name
        if wire.get_extra_info("sslcontext") is not None:
            # Over TLS asyncio and uvloop would keep 512 KiB for each.
            wire.set_write_buffer_limits(WRITE_BUFFER)
        super().connection_made(transport)
        self._expect_first_byte()
        self._crowd.park(self)
        if certificate and has_ended(certificate):
            self.cut(reset=False)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._crowd.leave(self)
        self._stop_head_timer()
        self._unsent.stop()
        self._socket = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.parked and data and not self._failed:
            self._crowd.busy(self)
        self._head.before(self._request_count, self._last_body())
        for piece in self._trailers.pieces(data):
            if self._failed or self._ending:
                return
            self._parse(piece)
        self._head.after(self._request_count, self._last_body(), data)
        self._watch_head()
        if not self._buffer_paused and self._holds_enough():
            self._pause_reading_for_buffer()

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
        try:
            answer = await self._answered(request, request_handler)
            if not request.payload.is_eof():
                await self._drop_rest(request.payload)
            if self._broken or self.ending:
                await self._linger_broken()
        finally:
            self._after_call()
        return answer, False

    async def _answered(
        self, request: Any, request_handler: Callable[[Any], Awaitable[Any]]
    ) -> Answer:
        self._request_in_progress = True
        self._current_request = request
        try:
            if self.writing_paused:
                await self.drained()
            answer: Answer = await request_handler(request)
        finally:
            self._current_request = None
            self._request_in_progress = False
        return answer

    def _make_error_handler(self, err_info: _ErrInfo) -> Callable[[Any], Awaitable[Any]]:
        refusal = parse_refusal(err_info.exc)

        def handler(request: Request) -> Awaitable[Answer]:
            return self._calls.refuse(request, refusal)

        return handler

    async def _drop_rest(self, body: StreamReader) -> None:
        """After an early answer: what is left of the call's body is no call."""
        if self._broken:
            return
        try:
            async with asyncio.timeout(LINGER):
                while not body.is_eof():
                    await body.readany()
        except (TimeoutError, HttpProcessingError, RequestPayloadError, CallRefusedError):
            self._broken = True

    async def _linger_broken(self) -> None:
        """Let the answer arrive before the end does: unread bytes would turn it into a reset.

        TLS has no half that could be closed: there the caller learns from the answer alone that
        it is to leave.
        """
        self._close = True
        self._lingering_time = 0.0
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

    def _parse(self, data: bytes) -> None:
        known = len(self._messages)
        try:
            super().data_received(data)
            self._guard(data, known)
        except Exception as error:  # noqa: BLE001  a URL class, say, that dislikes the target
            self._fail(error)
        messages = self._messages
        if messages and isinstance(messages[-1][0], _ErrInfo):
            self._failed = True
            self._spoil(messages[-1][0].exc)

    def _guard(self, data: bytes, known: int) -> None:
        """Drop the calls that may hold another's trailers; `known` were there before `data`."""
        messages, trailers = self._messages, self._trailers
        if len(messages) > known and isinstance(messages[-1][0], _ErrInfo):
            return
        allowed = trailers.allowed(data, islice(messages, known, None))
        if allowed is None and trailers.ended:
            # The parser may have paused behind the body: then there is more, and it shows now.
            count = len(messages)
            super().data_received(b"")
            if len(messages) > count:
                allowed = count - known
        if allowed is not None:
            self._ending = True
            while len(messages) > known + allowed:
                messages.pop()

    def _spoil(self, error: BaseException) -> None:
        """Tell whoever reads the body that broke; aiohttp's own parser leaves it waiting."""
        body = self._messages[-2][1] if len(self._messages) > 1 else self.receiving
        if body is not None and not body.is_eof():
            body.set_exception(parse_refusal(error))

    def _after_call(self) -> None:
        wire = self._socket
        if wire is None:
            return
        self._unsent.watch(wire, self._takes_nothing)
        if not self._messages and not self._time_head():
            self._crowd.park(self)

    # Time-outs: those of calls are their tasks' own, or `Deadlines`'.

    def _expect_first_byte(self) -> None:
        """Who says nothing at all is not given the time of a connection that was used."""
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
        self._next_keepalive_close_time = at = self._loop.time() + self.limits.header_timeout
        self._keepalive_handle = self._loop.call_at(at, self._process_keepalive)

    def _process_keepalive(self) -> None:
        if self._head_timer is not None:  # a call is coming: that timer sees to it
            self._keepalive_handle = None
            return
        closed = self._force_close
        super()._process_keepalive()
        if self._force_close and not closed:
            fresh = not self._request_count
            self._crowd.meters.reached("header_timeout" if fresh else "keepalive_timeout")

    def _takes_nothing(self) -> None:
        # Cut, not closed: what is not sent would keep the connection open for good.
        self._crowd.meters.reached("send_timeout")
        self.cut(reset=False)

    def _watch_head(self) -> None:
        """A header has `header_timeout` seconds from its first byte, or its former call's end."""
        if not self._awaits_head():
            self._stop_head_timer()
        else:
            self._time_head()
        if self._head.size > self.limits.header_bytes and not self._failed:
            self._failed = True
            self._fail(too_large("The header is too long."))

    def _time_head(self) -> bool:
        if self._head_timer is None and self._head.begun:
            self._head_timer = self._loop.call_later(self.limits.header_timeout, self._head_late)
        return self._head.begun

    def _last_body(self) -> StreamReader | None:
        return self._messages[-1][1] if self._messages else self.receiving

    def _holds_enough(self) -> bool:
        """Whether the calls that wait for their turn have as much header as one may have."""
        calls = self._messages
        return len(calls) > 1 and size_of(calls) > self.limits.header_bytes

    def _resume_reading_if_drained(self) -> None:
        if not self._holds_enough():
            super()._resume_reading_if_drained()

    def _awaits_head(self) -> bool:
        waiter = self._waiter
        self._begun = self._begun or waiter is not None or bool(self._messages)
        return not self._begun if waiter is None else not waiter.done()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        self._head_timer = None
        if not self._failed:
            self._failed = True
            self._fail(too_late("The header came too slowly."))
