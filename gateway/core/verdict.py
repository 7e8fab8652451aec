"""What an answer of Zoom says about the token it was asked with.

Sources: Zoom's error table ("Using Zoom APIs", Errors), the operations' own documentation
(124 under 400 for about twenty of them, product codes under 401) and answers that users
published. Codes are reused between products, so a code counts only together with its status;
messages are read for two things alone, since 4700 "Invalid access token, does not contain
scopes" begins like 124 "Invalid access token".
"""

import json
import zlib
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

BODY_LIMIT: Final = 64 * 1024
"""Bytes of an answer that are looked at, before and after decompression: Zoom's errors are
well under 4 KiB, an HTML page of its front under 16."""

_SCOPES_MISSING: Final = "does not contain scopes"
"""In the messages of 4711, 4700, 104 and 201: a new token has the same scopes."""

_LIFE_OVER: Final = "token is expired"
"""In one of the messages of 124. Others ("Invalid or expired token") leave it open."""

_TOKEN_INVALID: Final = 124
"""The only code that refuses the token under 400."""

_NOT_RECOGNIZED: Final = 2300
"""No such endpoint: said before the token is looked at."""


class Verdict(Enum):
    """What an answer proves."""

    REFUSED = "refused"
    """Zoom says that the token is not valid. It did not act on the call."""
    EXPIRED = "expired"
    """The same, and why: its life is over. Nobody else's mint killed it."""
    ACCEPTED = "accepted"
    """Only a valid token gets this answer."""
    UNKNOWN = "unknown"
    """Nothing: redirects, rate limits, faults, pages of the front."""

    @property
    def refuses(self) -> bool:
        """Whether a new token may help."""
        # Not by a set: an Enum's hash is a call of Python's, and this is asked for every call.
        return self is Verdict.REFUSED or self is Verdict.EXPIRED


class _Said(NamedTuple):
    """What the table looks at. `code` is None unless the body is JSON with an integer code."""

    code: int | None
    message: str


_SILENCE: Final = _Said(code=None, message="")


def _anything(_: _Said) -> bool:
    return True


def _has_code(said: _Said) -> bool:
    return said.code is not None


def _scopes_missing(said: _Said) -> bool:
    return _SCOPES_MISSING in said.message.lower()


def _not_recognized(said: _Said) -> bool:
    return said.code == _NOT_RECOGNIZED


def _expired(said: _Said) -> bool:
    return _LIFE_OVER in said.message.lower()


class _Row(NamedTuple):
    statuses: range
    holds: Callable[[_Said], bool]
    verdict: Verdict


_TABLE: Final = (
    _Row(range(200, 300), _anything, Verdict.ACCEPTED),
    _Row(range(401, 402), lambda s: _scopes_missing(s) and _has_code(s), Verdict.ACCEPTED),
    _Row(range(401, 402), _scopes_missing, Verdict.UNKNOWN),
    _Row(range(401, 402), _expired, Verdict.EXPIRED),
    _Row(range(401, 402), _anything, Verdict.REFUSED),
    _Row(range(400, 401), lambda s: s.code == _TOKEN_INVALID and _expired(s), Verdict.EXPIRED),
    _Row(range(400, 401), lambda s: s.code == _TOKEN_INVALID, Verdict.REFUSED),
    _Row(range(400, 401), _not_recognized, Verdict.UNKNOWN),
    _Row(range(400, 401), _has_code, Verdict.ACCEPTED),
    _Row(range(429, 430), _anything, Verdict.UNKNOWN),
    _Row(range(402, 500), _not_recognized, Verdict.UNKNOWN),
    _Row(range(402, 500), _has_code, Verdict.ACCEPTED),
)
"""The first row whose statuses hold the answer's and whose question is answered yes decides;
if none does, UNKNOWN."""

_LIMITED: Final = 429


def needs_body(status: int, method: str, content_type: bytes) -> bool:
    """Tell whether `classify` wants the body. An answer to HEAD has none.

    Under 400 and 401 whatever it is; else only JSON: the front's own pages are HTML.
    """
    if method == "HEAD":
        return False
    if status in {400, 401}:
        return True
    return 400 < status < 500 and status != _LIMITED and _is_json(content_type)  # noqa: PLR2004  HTTP's classes


def classify_head(status: int, method: str, content_type: bytes) -> Verdict | None:
    """Judge an answer by its head; None: the body decides, see `classify`."""
    if 200 <= status < 300:  # noqa: PLR2004  HTTP's classes
        return Verdict.ACCEPTED
    if needs_body(status, method, content_type):
        return None
    return classify(status)


def classify(status: int, body: bytes = b"") -> Verdict:
    """Judge an answer.

    `body` is the decoded body, at most BODY_LIMIT bytes of it, where `needs_body` asked for it.
    """
    said = _SILENCE if status < 400 else _listen(body)  # noqa: PLR2004  HTTP's classes
    for statuses, holds, verdict in _TABLE:
        if status in statuses and holds(said):
            return verdict
    return Verdict.UNKNOWN


def message_of(body: bytes) -> str:
    """What the decoded body of an error says; empty if it is not Zoom's JSON."""
    return _listen(body).message


def _is_json(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip().lower() == b"application/json"


def _listen(body: bytes) -> _Said:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _SILENCE
    if not isinstance(document, dict):
        return _SILENCE
    code, message = document.get("code"), document.get("message")
    return _Said(
        code if type(code) is int else None,
        message if isinstance(message, str) else "",
    )


def decode_body(content_encoding: bytes, body: bytes) -> bytes:
    """Undo a Content-Encoding: gzip, deflate (zlib's or raw), br, zstd, or several in a row.

    Gives at most BODY_LIMIT bytes, whatever a few bytes blow up to, and what can be had of a
    body that was cut. Nothing (`b""`) if the encoding is unknown or the body is not in it.
    """
    for coding in reversed(content_encoding.lower().split(b",")):
        name = coding.strip()
        if name in {b"gzip", b"x-gzip"}:
            body = _gunzip(body)
        elif name == b"deflate":
            # RFC 9110 section 8.4.1.2: some send the raw stream without zlib's frame.
            body = _inflate(body, zlib.MAX_WBITS) or _inflate(body, -zlib.MAX_WBITS)
        elif name == b"br":
            body = _unbrotli(body)
        elif name == b"zstd":
            body = _unzstd(body)
        elif name not in {b"", b"identity"}:
            return b""
    return body[:BODY_LIMIT]


def _gunzip(body: bytes) -> bytes:
    """All members of it (RFC 1952 section 2.2)."""
    out = b""
    while body and len(out) < BODY_LIMIT:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            out += member.decompress(body, BODY_LIMIT - len(out))
        except zlib.error:
            break
        body = member.unused_data
    return out


def _unbrotli(body: bytes) -> bytes:
    # Imported when it is met: few answers that are looked at are in it.
    import brotli  # noqa: PLC0415

    try:
        return bytes(brotli.Decompressor().process(body, output_buffer_limit=BODY_LIMIT))
    except brotli.error:
        return b""


def _unzstd(body: bytes) -> bytes:
    import zstandard  # noqa: PLC0415

    reader = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True)
    try:
        return reader.read(BODY_LIMIT)
    except zstandard.ZstdError:
        return b""


def _inflate(body: bytes, window: int) -> bytes:
    try:
        return zlib.decompressobj(window).decompress(body, BODY_LIMIT)
    except zlib.error:
        return b""
