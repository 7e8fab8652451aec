"""The head of a request, as bytes, and what it says about the body's framing.

Pure. What is wrong here is the caller's mistake, so it raises ValueError, before anything
is sent. Source: RFC 9112, sections 3, 5 and 6.
"""

from collections.abc import Sequence
from typing import Final

from gateway.core.fates import Fates
from gateway.core.headers import Field
from gateway.core.repeated import Repeated, Varied
from gateway.ports import UpstreamRequest

CHUNKED: Final = -1
"""The body is framed by `Transfer-Encoding: chunked`, instead of a length in bytes."""

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that may be sent again when nobody knows whether the first sending arrived
(RFC 9110, section 9.2.2)."""

_READ: Final = Fates(frozenset(), frozenset({b"content-length", b"transfer-encoding"}))
"""Which fields frame the body."""


def encode_head(request: UpstreamRequest) -> tuple[bytes, int]:
    """The head's bytes, ready to be sent, and the body's length (`CHUNKED`: unknown).

    Raises ValueError if a part would end its line early, or if the framing is missing,
    doubled or at odds with the body. No message repeats a value: it may be a token.
    """
    verb, target = request.method.encode("ascii"), request.target
    headers, body = request.headers, request.body
    if not target or b" " in target or not verb or b" " in verb:
        raise ValueError("the method or the target is empty, or has a space in it")
    first = verb + b" " + target + b" HTTP/1.1"
    _refuse_ends(first, 0)
    if body is None:
        if type(headers) is Repeated:
            return first + (headers.encoded or _shared(headers)), 0
        if type(headers) is Varied:
            shared = headers.base
            for value in headers.values:
                _refuse_ends(value, 0)
            if not shared.encoded:
                if any(_READ[shared[place][0]] for place, _ in shared.spots):
                    raise ValueError("a framing header differs from call to call")
                _shared(shared)
            return first + shared.written(headers.values), 0
    rest, length = _encoded(headers, with_body=body is not None)
    return first + rest, length


def _shared(headers: Repeated) -> bytes:
    """What follows the first line, as `encoded` keeps it for the next call."""
    headers.encoded, _ = _encoded(headers, with_body=False)
    return headers.encoded


def _encoded(headers: Sequence[Field], *, with_body: bool) -> tuple[bytes, int]:
    lines = [b"", *[name + b": " + value for name, value in headers], b"\r\n"]
    rest = b"\r\n".join(lines)
    _refuse_ends(rest, len(lines))
    framing = [field for field in headers if _READ[field[0]]]
    return rest, _framing(framing, with_body=with_body) if framing or with_body else 0


def _refuse_ends(text: bytes, lines: int) -> None:
    """Raise ValueError unless as many lines end in `text` as should."""
    if text.count(b"\r") != lines or text.count(b"\n") != lines or b"\0" in text:
        raise ValueError("a header, the method or the target has a CR, LF or NUL in it")


def _framing(fields: list[tuple[bytes, bytes]], *, with_body: bool) -> int:
    if len(fields) > 1:
        raise ValueError("a framing header stands twice, or both do")
    if not fields:
        raise ValueError("a body needs Content-Length or Transfer-Encoding")
    name, value = fields[0]
    value = value.strip()
    if name.lower() == b"transfer-encoding":
        if value.lower() != b"chunked" or not with_body:
            raise ValueError("Transfer-Encoding is not plain chunked, or does not fit the rest")
        return CHUNKED
    # `isdigit` of bytes takes ASCII alone; int() would take signs and underscores, too.
    if not value.isdigit() or (not with_body and int(value) != 0):
        raise ValueError("Content-Length is no number, or there is no body for it")
    return int(value)
