"""A call as the listener received it."""

import asyncio
import re
from typing import Final

from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestPayloadError

from gateway.core.errors import CallRefusedError
from gateway.core.headers import Field
from gateway.web.limits import MAX_LINE
from gateway.web.repeats import KnownHeader
from gateway.web.wire import CallerGoneError, Wire

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_UNKNOWN_METHOD: Final = re.compile(r"b'[!#$%&*+.^_`|~0-9A-Za-z-]{1,32} ")
"""How the parser quotes a request line whose method is a token that it does not know."""


class Request:
    """One call: its head, its body and the connection it came on.

    `task` is the one that answers it. aiohttp wants `_cancel` of it.
    """

    __slots__ = (
        "broken",
        "head",
        "http11",
        "keep_alive",
        "known",
        "method",
        "offers_upgrade",
        "payload",
        "target",
        "task",
        "values",
        "wire",
    )

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        wire: Wire,
        task: "asyncio.Task[None] | None",
    ) -> None:
        self.task = task
        self.wire = wire
        self.known: KnownHeader | None = None
        """Its header, if it came before."""
        self.values: tuple[bytes, ...] = ()
        """Those in it that are its own."""
        self.method = message.method
        # What is not UTF-8 was escaped by the parser; this gives the bytes of the wire back.
        self.target = message.path.encode("utf-8", "surrogateescape")
        self.head: tuple[Field, ...] = message.raw_headers
        self.payload = payload
        self.http11 = message.version == HttpVersion11
        self.broken = (
            None
            if self.http11 or message.version == HttpVersion10
            else CallRefusedError(505, "http_version", "Speak HTTP/1.1 or HTTP/1.0.", close=True)
        )
        self.offers_upgrade = message.upgrade
        self.keep_alive = not message.should_close

    @classmethod
    def repeated(
        cls, method: str, target: bytes, values: tuple[bytes, ...], known: KnownHeader, wire: Wire
    ) -> "Request":
        """A call that has no body, with a header that came before, but for these values."""
        self = cls.__new__(cls)
        self.task = None
        self.wire = wire
        self.known = known
        self.method = method
        self.target = target
        self.head = known.fields_with(values) if values else known.fields
        self.values = values
        self.payload = EMPTY_PAYLOAD
        self.http11 = True
        self.broken = None
        self.offers_upgrade = False
        self.keep_alive = known.keep_alive
        return self

    @property
    def raw_headers(self) -> tuple[Field, ...]:
        """The name that the parser's messages have for it."""
        return self.head

    @property
    def has_body(self) -> bool:
        return self.payload is not EMPTY_PAYLOAD

    def _cancel(self, error: BaseException) -> None:
        """The connection is lost."""
        self.payload.set_exception(error)


class CallerBody:
    """Reads a call's body, telling the caller to send it if it waits to be told."""

    __slots__ = ("_awaits_continue", "_request")

    def __init__(self, request: Request, *, awaits_continue: bool) -> None:
        self._request = request
        self._awaits_continue = awaits_continue

    @property
    def withheld(self) -> bool:
        """Whether the caller still waits for our `100 Continue`, and may never send a body."""
        payload = self._request.payload
        return self._awaits_continue and not payload.total_bytes and not payload.is_eof()

    def decline(self) -> None:
        """The final answer begins: `100 Continue` must not follow it."""
        self._awaits_continue = False

    async def read(self) -> bytes:
        """Give what has arrived, at least a byte, or `b""` at the end.

        Cancelled, it loses nothing. Raises CallRefusedError for bad framing and for a caller
        that stalls, CallerGoneError for one that left.
        """
        payload = self._request.payload
        try:
            chunk = payload.read_nowait()
            if chunk or payload.at_eof():
                return chunk
            if self._awaits_continue:
                self._awaits_continue = False
                self._request.wire.send(_CONTINUE)
            async with asyncio.timeout(self._request.wire.limits.body_timeout):
                return await payload.readany()
        except TimeoutError:
            raise CallRefusedError(
                408, "body_timeout", "The body came too slowly.", close=True, limit="body_timeout"
            ) from None
        except (HttpProcessingError, RequestPayloadError) as error:
            raise parse_refusal(error) from None
        except (ConnectionError, RuntimeError) as error:
            # RuntimeError: aiohttp's word for reading from a connection that is closed.
            raise CallerGoneError("the caller went away") from error


def parse_refusal(error: BaseException) -> CallRefusedError:
    """Put the parser's complaint into our words; its own quotes the caller's bytes."""
    if isinstance(error, CallRefusedError):
        return error
    if isinstance(error, LineTooLong):
        if MAX_LINE in error.args:
            return CallRefusedError(414, "target_too_long", "The request line is too long.", True)
        return too_large("A header field is too long.")
    message = getattr(error, "message", "")
    if message == "Too many headers received":
        return too_large("There are too many header fields.", "header_fields")
    if isinstance(error, BadHttpMethod):
        if "HTTPS" in message:
            return _bad_request("This port speaks HTTP without TLS: use http://.")
        if _UNKNOWN_METHOD.search(message):
            return CallRefusedError(501, "method", "This method is not known.", close=True)
    return _bad_request("This is not HTTP/1.1: the request line, a header field or the framing.")


def too_large(message: str, limit: str = "header_bytes") -> CallRefusedError:
    return CallRefusedError(431, "headers_too_large", message, close=True, limit=limit)


def too_late(message: str) -> CallRefusedError:
    return CallRefusedError(408, "header_timeout", message, close=True, limit="header_timeout")


def _bad_request(message: str) -> CallRefusedError:
    return CallRefusedError(400, "bad_request", message, close=True)
