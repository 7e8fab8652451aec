"""The receiving half of a caller's connection: the calls that aiohttp's parser finds."""

import asyncio
from itertools import islice
from typing import Any, Final, cast

from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo
from aiohttp.web_server import Server

from gateway.web.crowd import Crowd
from gateway.web.heads import HeadMeter, size_of
from gateway.web.limits import MAX_FIELD, MAX_LINE, READ_BUFFER
from gateway.web.repeats import Repeats
from gateway.web.request import Request, parse_refusal, too_large, too_late
from gateway.web.trailers import TrailerGuard
from gateway.web.wire import Wire

_END: Final = b"\r\n\r\n"
"""Of a head."""

SMALL: Final = 1024
"""Bytes of a piece of a body that may have to wait for its turn: see `Turns`."""

MOST_HELD: Final = 65_536
"""Bytes that wait: who sends more in that time sends no small pieces."""


class Receiver(RequestHandler):
    """Queues calls, and what is to be said of bytes that are none.

    aiohttp's parser fills the queue `_messages`; what it lets through is caught here.
    """

    __slots__ = (
        "_begun",
        "_crowd",
        "_ending",
        "_failed",
        "_head",
        "_head_timer",
        "_held",
        "_repeats",
        "_trailers",
        "limits",
        "parked",
        "receiving",
    )

    def __init__(self, server: Server, crowd: Crowd) -> None:
        self.limits = limits = crowd.limits
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.keepalive_timeout,
            access_log=cast(Any, None),
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=limits.header_fields,
            read_bufsize=READ_BUFFER,
            auto_decompress=False,
        )
        self._crowd = crowd
        self.parked = False
        self._begun = False
        """A call was received, or is waited for. Over TLS, bytes may come before the request loop
        has its first turn."""
        self._failed = False
        self._ending = False
        """Nothing that still comes is a call: see `TrailerGuard`."""
        self._trailers = TrailerGuard()
        self._head_timer: asyncio.TimerHandle | None = None
        self._head = HeadMeter()
        self._held = b""
        self._repeats = Repeats()
        self.receiving: StreamReader | None = None

    def data_received(self, data: bytes) -> None:
        # Without data it is about what the parser holds: of that, nothing would be left to wait.
        if data and (
            self._held
            or (
                len(data) <= SMALL
                and self.receiving is not None
                and not self.receiving.is_eof()
                and not self._crowd.turns.take(self._loop)
            )
        ):
            self._hold(data)
        else:
            self._take(data)

    def _hold(self, data: bytes) -> None:
        """Keep a piece of a body until its turn has come, with all that follows it."""
        if not self._held:
            self._crowd.turns.wait(self._take_held)
        self._held += data
        if len(self._held) > MOST_HELD:
            self._take_held()

    def _take_held(self) -> None:
        if self._held:
            data, self._held = self._held, b""
            self._take(data)

    def _take(self, data: bytes) -> None:
        if self.parked and data and not self._failed:
            self._crowd.busy(self)  # type: ignore[arg-type]  # `Connection` is a member
        waiter, known = self._waiter, self._request_count
        waiting = waiter is not None and not waiter.done()
        fresh = waiting and not self._head.size
        if fresh and self._repeats.known is not None and self._repeat(data):
            return
        if not waiting:
            self._head.before(known, self._last_body())
        simple = False
        for piece in self._trailers.pieces(data):
            if self._failed or self._ending:
                return
            simple = self._parse(piece)
        if simple:
            self._begun = True
            self._head.none()
            self._stop_head_timer()
            if fresh:
                message, body = self._messages[-1]
                self._repeats.learn(data, cast(RawRequestMessage, message), body)
        else:
            self._repeats.known = None
            if waiting:  # nothing was being received
                self._head.before(known, None)
            self._head.after(self._request_count, self._last_body(), data)
            self._watch_head()
        if len(self._messages) > 1 and not self._buffer_paused and self._holds_enough():
            self._pause_reading_for_buffer()

    def _repeat(self, data: bytes) -> bool:
        """Queue a call whose header came before; tell whether `data` is one.

        Nothing of it need be parsed, and the parser is where it was: before a head.
        """
        repeats = self._repeats
        line = repeats.first_line(data)
        known = repeats.known
        if line is None or known is None or self._close or self._force_close:
            return False
        self._request_count += 1
        request = Request.repeated(*line, known, cast(Wire, self))
        self._messages.append((cast(Any, request), EMPTY_PAYLOAD))
        waiter = self._waiter
        if waiter is not None:
            waiter.set_result(None)
        return True

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002  aiohttp's
        """Asked for at every piece of a body that is read: nearly always there is nothing to do."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _fail(self, error: Exception) -> None:
        """Queue an answer to what cannot be parsed."""
        self._messages.append((_ErrInfo(400, error, ""), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _parse(self, data: bytes) -> bool:
        """Tell whether `data` ended with the head of one call, of which no more is to be asked.

        So it is nearly always: then no trailers are before it, and none can follow.
        """
        messages, known = self._messages, len(self._messages)
        try:
            super().data_received(data)
            if len(messages) == known + 1 and data.endswith(_END) and self._trailers.body is None:
                message = messages[-1][0]
                if type(message) is RawRequestMessage and not message.chunked:
                    return True
            self._guard(data, known)
        except Exception as error:  # noqa: BLE001  a URL class, say, that dislikes the target
            self._fail(error)
        if messages and isinstance(messages[-1][0], _ErrInfo):
            self._failed = True
            self._spoil(messages[-1][0].exc)
        return False

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

    def _watch_head(self) -> None:
        """A header has `header_timeout` seconds from its first byte, or its former call's end."""
        if not self._awaits_head():
            self._stop_head_timer()
        elif self._head.begun:
            self._time_head()
        if self._head.size > self.limits.header_bytes and not self._failed:
            self._failed = True
            self._fail(too_large("The header is too long."))

    def _time_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self._loop.call_later(self.limits.header_timeout, self._head_late)

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
