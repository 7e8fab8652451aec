"""The head of a request, as bytes, and what it says about the body's framing.

Pure. What is wrong here is the caller's mistake, so it raises ValueError, before anything
is sent. Source: RFC 9112, sections 3, 5 and 6.
"""

from typing import Final

from gateway.ports import UpstreamRequest

CHUNKED: Final = -1
"""The body is framed by `Transfer-Encoding: chunked`, instead of a length in bytes."""

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that may be sent again when nobody knows whether the first sending arrived
(RFC 9110, section 9.2.2)."""


def encode_head(request: UpstreamRequest) -> tuple[bytes, int]:
    """The head's bytes, ready to be sent, and the body's length (`CHUNKED`: unknown).

    Raises ValueError if a part would end its line early, or if the framing is missing,
    doubled or at odds with the body. No message repeats a value: it may be a token.
    """
    target = request.target
    method = request.method.encode("ascii")
    if not target or b" " in target or not method or b" " in method:
        raise ValueError("the method or the target is empty, or has a space in it")
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    lines += [b"%b: %b\r\n" % field for field in request.headers]
    head = b"".join(lines)
    if head.count(b"\r") != len(lines) or head.count(b"\n") != len(lines) or b"\0" in head:
        raise ValueError("a header, the method or the target has a CR, LF or NUL in it")
    return head + b"\r\n", _framing(head.lower(), with_body=request.body is not None)


def _framing(head: bytes, *, with_body: bool) -> int:
    length = _only(head, b"\r\ncontent-length: ")
    coding = _only(head, b"\r\ntransfer-encoding: ")
    if coding is not None:
        if length is not None or coding != b"chunked" or not with_body:
            raise ValueError("Transfer-Encoding is not plain chunked, or does not fit the rest")
        return CHUNKED
    if length is None:
        if with_body:
            raise ValueError("a body needs Content-Length or Transfer-Encoding")
        return 0
    # `isdigit` of bytes takes ASCII alone; int() would take signs and underscores, too.
    if not length.isdigit() or (not with_body and int(length) != 0):
        raise ValueError("Content-Length is no number, or there is no body for it")
    return int(length)


def _only(head: bytes, field: bytes) -> bytes | None:
    """The value of a field that may stand once; `field` as it stands in a lower-case head."""
    start = head.find(field)
    if start < 0:
        return None
    start += len(field)
    if head.find(field, start) >= 0:
        raise ValueError("a framing header stands twice")
    return head[start : head.index(b"\r\n", start)].strip()
