"""One caller's connection: its calls are answered one after the other."""

import asyncio
import socket
import struct
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Final, cast

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import (
    ERROR,
    PayloadAccessError,
    RequestPayloadError,
    _ErrInfo,
)
from aiohttp.web_server import Server

from gateway.core.errors import CallRefusedError, GatewayError
from gateway.outbox import Outbox
from gateway.web.answer import Answer
from gateway.web.crowd import Crowd, Group
from gateway.web.handler import CallHandler
from gateway.web.limits import (
    LINGER,
    LINGER_BROKEN,
    WRITE_BUFFER,
)
from gateway.web.peer import NOBODY, Expiry, holds_bytes, peer_of
from gateway.web.receiver import Receiver
from gateway.web.request import Request, parse_refusal
from gateway.web.unsent import Unsent
from gateway.web.wire import CallerGoneError

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends a reset instead of an orderly end."""

_OVER: Final = PayloadAccessError()
"""What whoever still reads the body of a call gets that was answered."""


class Connection(Receiver):
    """Implements `Wire`.

    Of aiohttp are the parser, the queue of calls and the flow control.
    """

    __slots__ = (
        "_broken",
        "_calls",
        "_expiry",
        "_leaving",
        "_outbox",
        "_socket",
        "_unsent",
        "caller",
        "caller_name",
        "group",
        "peer",
        "secure",
    )

    def __init__(
        self, server: Server, calls: CallHandler, crowd: Crowd, outbox: Outbox, group: Group = None
    ) -> None:
        """`group` says where it comes from, for the crowd that it belongs to."""
        super().__init__(server, crowd)
        self._calls = calls
        self._outbox = outbox
        self.group = group
        self._socket: asyncio.Transport | None = None
        """Like `transport`, which aiohttp forgets as soon as it starts to close it."""
        self._broken = False
        self._leaving = False
        """The call in hand is the last."""
        self._unsent = Unsent(self.limits.send_timeout)
        self._expiry: Expiry | None = None
        """Of the caller's certificate, if it showed one."""
        self.peer = NOBODY
        self.caller = ""
        self.caller_name = ""
        self.secure = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

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
        self._outbox.flush()
        transport.write(data)

    def post(self, data: bytes) -> None:
        if self._messages or self._crowd.meters.calls <= 1:
            # The next call is answered in this turn, too, unless this shows that it has to wait;
            # and a call that is alone has nothing to leave with.
            self.send(data)
            return
        transport = self.transport
        if transport is None or transport.is_closing():
            raise CallerGoneError("the caller went away")
        self._outbox.put(self._loop, self._leave, data)

    def _leave(self, data: bytes) -> None:
        wire = self._socket
        if wire is None or wire.is_closing():
            return
        wire.write(data)
        if wire.get_write_buffer_size():
            self._unsent.watch(wire, self._takes_nothing)

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
        # Its last answer may be complete, and only wait for the end of the turn.
        self._outbox.flush()
        if reset and (sock := transport.get_extra_info("socket")) is not None:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
        self.force_close()

    def force_close(self) -> None:
        self._outbox.flush()
        super().force_close()

    def last_call(self) -> None:
        self._broken = True

    def see_out(self) -> None:
        """Carry no call that is not in hand by now."""
        self._leaving = True
        if self._current_request is None:
            self.cut(reset=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = wire = cast(asyncio.Transport, transport)
        certificate = wire.get_extra_info("peercert")
        self.peer = peer_of(wire, certificate)
        self.caller = str(self.peer)
        self.caller_name = self.peer.name
        self.secure = wire.get_extra_info("sslcontext") is not None
        if self.secure:
            # Over TLS asyncio and uvloop would keep 512 KiB for each.
            wire.set_write_buffer_limits(WRITE_BUFFER)
        super().connection_made(transport)
        self._expect_first_byte()
        self._crowd.park(self)
        if certificate:
            self._expiry = Expiry(certificate, self._loop, self.see_out)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._take_held()
        self._crowd.leave(self)
        self._stop_head_timer()
        self._unsent.stop()
        if self._expiry is not None:
            self._expiry.stop()
        self._socket = None
        super().connection_lost(exc)

    def _hear(self, error: Exception) -> None:
        """Hear what escaped from a call.

        That the rest of a body broke off while it was dropped is no news.
        """
        if self.transport is not None and not isinstance(error, GatewayError | OSError):
            self._calls.unhandled(error)

    async def start(self) -> None:  # noqa: C901  each layer would be passed at every turn of a call
        """Answer what was received, one call after the other, until the connection ends.

        In place of aiohttp's loop, which makes a task and a writer for each call. Neither is
        needed: calls are answered in turn, and answers write themselves.
        """
        messages = self._messages
        while not self._force_close:
            if not messages:
                self._waiter = waiter = self._loop.create_future()
                await waiter
                self._waiter = None
            message, payload = messages.popleft()
            request = self._take_up(message, payload)
            try:
                if self._paused:
                    await self.drained()
                self._keepalive = (await self._answered(message, request)).keep_alive
                self._current_request = None
                if self._broken or self.ending or not payload.is_eof():
                    await self._settle(payload)
                payload.set_exception(_OVER)
            except ConnectionError:
                break
            except Exception as error:  # noqa: BLE001  of a handler that breaks its contract
                self._hear(error)
                self.force_close()
            except BaseException:
                self.force_close()
                raise
            finally:
                self._current_request = None
                self._after_call()
            if not self._keepalive or self._close or self._force_close:
                break
            # A connection that waits must not hold on to its last call.
            del message, payload, request
            self._expect_call()
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self._outbox.flush()
                self.transport.close()

    def _take_up(self, message: Any, payload: StreamReader) -> Request:
        """It has left the queue, where there is room for one more, and is in hand."""
        request: Request
        if type(message) is Request:
            request = message
            request.task = self._task_handler
        else:
            if self._parser is not None:
                self._parser.message_consumed()
            if type(message) is _ErrInfo:
                message = ERROR
            request = Request(message, payload, self, self._task_handler)
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        self.receiving = payload
        self._current_request = cast(Any, request)
        return request

    def _answered(self, message: Any, request: Request) -> Awaitable[Answer]:
        if type(message) is _ErrInfo:
            return self._calls.refuse(request, parse_refusal(message.exc))
        return self._calls.handle(request)

    async def _settle(self, body: StreamReader) -> None:
        """After an answer that came early, or is the last: what is left of the call is no call."""
        if not self._broken:
            await self._drop_rest(body)
        if self._broken or self.ending:
            await self._linger_broken()

    async def _drop_rest(self, body: StreamReader) -> None:
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
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        self._outbox.flush()
        if transport.can_write_eof():
            transport.write_eof()
        self._resume_transport_reading()
        await asyncio.sleep(LINGER_BROKEN)  # a lost connection cancels this

    def _after_call(self) -> None:
        wire = self._socket
        if wire is None:
            return
        if wire.get_write_buffer_size():
            self._unsent.watch(wire, self._takes_nothing)
        if self._messages:
            return
        if self._head.begun:
            self._time_head()
        else:
            self._crowd.park(self)

    # Time-outs: those of calls are their tasks' own, or `Deadlines`'.

    def _expect_first_byte(self) -> None:
        """Who says nothing at all is not given the time of a connection that was used."""
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
        self._next_keepalive_close_time = at = self._loop.time() + self.limits.header_timeout
        self._keepalive_handle = self._loop.call_at(at, self._process_keepalive)

    def _expect_call(self) -> None:
        self._next_keepalive_close_time = at = self._loop.time() + self._keepalive_timeout
        handle = cast(asyncio.TimerHandle | None, self._keepalive_handle)
        if handle is not None and handle.when() > at:
            # That of the first byte: it looks early enough only where its time is the shorter one.
            handle.cancel()
            handle = None
        if handle is None:
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
