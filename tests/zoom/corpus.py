"""Raw answers, right and wrong, and what a caller may hear of each: also seeds for mutations."""

import gzip
import zlib
from dataclasses import dataclass
from typing import Final

EVIL: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsmuggle"
"""What an attacker hides: no caller may ever hear it."""

_OK: Final = b"HTTP/1.1 200 OK\r\n"
_CHUNKED: Final = _OK + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """`wire` is what comes for a call of `method`; then the connection `then` `stays` open,
    `closes`, `resets`, or `waits` for the gateway to give up.

    `body` is what the caller hears with `status`; None: 502, or an answer that is cut. `reuse`:
    whether the connection carries another call (None: whatever). `late`: what is wrong comes
    behind the end, so the answer is whole if that comes later.
    """

    name: str
    wire: bytes
    why: str
    body: bytes | None = None
    status: int = 200
    reuse: bool | None = False
    method: bytes = b"GET"
    then: str = "stays"
    late: bool = False


def broken(name: str, wire: bytes, why: str, *, then: str = "stays") -> Answer:
    return Answer(name, wire, why, then=then)


def whole(
    name: str, wire: bytes, why: str, body: bytes = b"hello", *, reuse: bool | None = True
) -> Answer:
    return Answer(name, wire, why, body, reuse=reuse)


def _sized(value: bytes) -> bytes:
    return _OK + b"Content-Length: %b\r\n\r\nhello" % value


def _field(field: bytes) -> bytes:
    return _OK + field + b"\r\nContent-Length: 5\r\n\r\nhello"


def _line(line: bytes) -> bytes:
    return line + b"\r\nContent-Length: 5\r\n\r\nhello"


def _size(size: bytes) -> bytes:
    return _CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n"


def _late(name: str, wire: bytes) -> Answer:
    return Answer(name, wire, _MORE, late=True)


_LENGTH: Final = "RFC 9112 6.3: where the body ends is in doubt"
_CHUNK: Final = "RFC 9112 7.1"
_LINES: Final = "RFC 9112 2.2"
_STATUS: Final = "RFC 9112 4: status-line"
_FIELDS: Final = "RFC 9112 5"
_MORE: Final = "response smuggling: what follows is nobody's answer"
_CUT: Final = "an incomplete answer must not look complete"

_FRAMINGS: Final = (
    whole("a length", _sized(b"5"), _LENGTH),
    whole("length with leading zeros", _sized(b"0005"), _LENGTH),
    whole("chunks", _CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", _LENGTH),
    whole("chunks with an extension", _CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n", _LENGTH),
    whole("TE in capitals", _CHUNKED.upper() + b"5\r\nhello\r\n0\r\n\r\n", _LENGTH),
    broken("both framings", _field(b"Transfer-Encoding: chunked"), _LENGTH),
    broken(
        "both, turned",
        _CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        _LENGTH,
    ),
    broken("two lengths", _field(b"Content-Length: 4"), _LENGTH),
    broken("same length twice", _field(b"Content-Length: 5"), _LENGTH),
    broken("list of lengths", _sized(b"5, 5"), _LENGTH),
    broken("negative length", _sized(b"-5"), _LENGTH),
    broken("length with plus", _sized(b"+5"), _LENGTH),
    broken("hex length", _sized(b"0x5"), _LENGTH),
    broken("length with blank within", _sized(b"5 5"), _LENGTH),
    broken("no length", _sized(b""), _LENGTH),
    broken("length beyond 64 bits", _sized(b"18446744073709551621"), _LENGTH),
    broken("length of 2^64 - 1", _sized(b"18446744073709551615"), _LENGTH),
    broken("length behind 5,000 zeros", _sized(b"0" * 5000 + b"5"), _LENGTH),
    broken("xchunked", _CHUNKED.replace(b"chunked", b"xchunked") + EVIL, _LENGTH),
    broken("gzip, chunked", _CHUNKED.replace(b"chunked", b"gzip, chunked") + EVIL, _LENGTH),
    broken("chunked, identity", _CHUNKED.replace(b"chunked", b"chunked, identity"), _LENGTH),
    broken("identity", _OK + b"Transfer-Encoding: identity\r\n\r\nhello", _LENGTH, then="closes"),
    broken("chunked twice", _CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n", _LENGTH),
    broken("TE with vertical tab", _CHUNKED.replace(b" chunked", b"\x0bchunked"), _LENGTH),
    Answer(
        "chunks under 1.0",
        _CHUNKED.replace(b"1.1", b"1.0") + b"5\r\nhello\r\n0\r\n\r\n",
        "RFC 9112 6.1: the framing is faulty; never kept",
        body=b"hello",
    ),
    Answer(
        "a length under 1.0",
        _sized(b"5").replace(b"1.1", b"1.0"),
        "RFC 9112 9.3: not kept",
        body=b"hello",
    ),
    Answer(
        "no framing", _OK + b"\r\nhello", "RFC 9112 6.3: to the end", body=b"hello", then="closes"
    ),
    broken("no framing, and a reset", _OK + b"\r\nhello", _CUT, then="resets"),
)

_CHUNKS: Final = (
    broken("size 0x5", _size(b"0x5"), _CHUNK),
    broken("size -5", _size(b"-5"), _CHUNK),
    broken("size +5", _size(b"+5"), _CHUNK),
    broken("size 5_0", _size(b"5_0"), _CHUNK),
    broken("no size", _size(b""), _CHUNK),
    broken("blank before the size", _size(b" 5"), _CHUNK),
    broken("size of 2^64 + 5", _size(b"10000000000000005"), _CHUNK),
    broken("bare LF behind the size", _CHUNKED + b"5\nhello\r\n0\r\n\r\n", _LINES),
    broken("bare LF behind the data", _CHUNKED + b"5\r\nhello\n0\r\n\r\n", _LINES),
    broken("bare LF in an extension", _CHUNKED + b"5;a\nhello\r\n0\r\n\r\n", _LINES),
    broken("bare CR in an extension", _CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n", _LINES),
    broken("data longer than its size", _CHUNKED + b"3\r\nhello\r\n0\r\n\r\n", _CHUNK),
    broken("data shorter than its size", _CHUNKED + b"7\r\nhello\r\n0\r\n\r\n", _CHUNK),
    broken("no last CRLF, then another answer", _CHUNKED + b"5\r\nhello\r\n0\r\n" + EVIL, _MORE),
    whole("a trailer", _CHUNKED + b"5\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n", "dropped"),
    whole(
        "an account as a trailer",
        _CHUNKED + b"5\r\nhello\r\n0\r\nX-Request-Id: a\r\nSet-Cookie: evil\r\n\r\n",
        "dropped, and not in the next answer",
    ),
    broken(
        "length as a trailer", _CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n", _CHUNK
    ),
    broken("folded trailer", _CHUNKED + b"5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n", _FIELDS),
    broken(
        "endless trailers", _CHUNKED + b"5\r\nhello\r\n0\r\n" + b"X: a\r\n" * 100_000, "bounded"
    ),
    broken("an endless extension", _CHUNKED + b"5;" + b"a" * 700_000, "bounded"),
)

_SURPLUS: Final = (
    _late("bytes behind a length", _sized(b"5") + b"x"),
    _late("an answer behind a length", _sized(b"5") + EVIL),
    _late("an answer behind chunks", _CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + EVIL),
    _late("an answer behind close", _field(b"Connection: close") + EVIL),
    Answer("a body with 204", b"HTTP/1.1 204 No\r\n\r\n" + EVIL, _MORE, body=b"", status=204),
    Answer(
        "a length with 204",
        b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
        "RFC 9110 8.6",
        body=b"",
        status=204,
    ),
    Answer("a body with 304", b"HTTP/1.1 304 No\r\n\r\n" + EVIL, _MORE, body=b"", status=304),
    Answer("a body to HEAD", _sized(b"5"), _MORE, body=b"", method=b"HEAD"),
    Answer("an answer behind HEAD's", _sized(b"5")[:-5] + EVIL, _MORE, body=b"", method=b"HEAD"),
    Answer("HEAD", _sized(b"5")[:-5], "RFC 9110 9.3.2", body=b"", method=b"HEAD", reuse=True),
    Answer(
        "HEAD, chunked",
        _CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
        _MORE,
        body=b"",
        method=b"HEAD",
    ),
)

_INTERIM: Final = (
    whole(
        "100 and 103",
        b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + _sized(b"5"),
        "RFC 9110 15.2: dropped",
    ),
    broken("100 without end", b"HTTP/1.1 100 Continue\r\n\r\n" * 6_000, "bounded"),
    broken(
        "100 with a body", b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + EVIL, _MORE
    ),
    broken(
        "101 unasked",
        b"HTTP/1.1 101 Hi\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + EVIL,
        "RFC 9110 7.8",
    ),
    _late("100 behind the answer", _sized(b"5") + b"HTTP/1.1 100 Continue\r\n\r\n"),
)

_HEADS: Final = (
    broken("HTTP/0.9", b"hello", _STATUS, then="closes"),
    broken("HTTP/2", _line(b"HTTP/2 200 OK"), _STATUS),
    broken("HTTP/2.0", _line(b"HTTP/2.0 200 OK"), _STATUS),
    broken("HTTP/1.2", _line(b"HTTP/1.2 200 OK"), _STATUS),
    broken("http/1.1", _line(b"http/1.1 200 OK"), _STATUS),
    broken("status 099", _line(b"HTTP/1.1 099 Low"), _STATUS),
    broken("status 1000", _line(b"HTTP/1.1 1000 High"), _STATUS),
    broken("status 20", _line(b"HTTP/1.1 20 OK"), _STATUS),
    broken("status -200", _line(b"HTTP/1.1 -200 OK"), _STATUS),
    broken("no status", _line(b"HTTP/1.1 OK"), _STATUS),
    broken("bare CR in the reason", _line(b"HTTP/1.1 200 O\rSet-Cookie: a=b"), _STATUS),
    whole("NUL in the reason", _line(b"HTTP/1.1 200 O\0K"), "replaced by the usual one"),
    whole("no reason", _line(b"HTTP/1.1 200"), _STATUS),
    whole("reason with high bytes", _line(b"HTTP/1.1 200 \xc0\x8d\xc0\x8aX: y"), _STATUS),
    broken("bare LF", _sized(b"5").replace(b"\r\n", b"\n"), _LINES),
    broken("bare CR", _sized(b"5").replace(b"\r\n", b"\r"), _LINES),
    broken("fold", _field(b"X: a\r\n b"), _FIELDS),
    broken("fold of a length", _sized(b"5\r\n 0"), _FIELDS),
    broken("blank before the colon", _field(b"X : a"), _FIELDS),
    broken("no colon", _field(b"XYZ"), _FIELDS),
    broken("no name", _field(b": a"), _FIELDS),
    broken("a name with a blank", _field(b"X Y: a"), _FIELDS),
    broken("NUL in a name", _field(b"X\0: a"), _FIELDS),
    broken("NUL in a value", _field(b"X: a\0b"), _FIELDS),
    broken("bare CR in a value", _field(b"X: a\rSet-Cookie: b"), _FIELDS),
    broken("bare LF in a value", _field(b"X: a\nSet-Cookie: b"), _FIELDS),
    broken("a field of 70 KB", _field(b"X: " + b"a" * 70_000), "bounded"),
    broken("20,000 fields", _field(b"\r\n".join([b"X: a"] * 20_000)), "bounded"),
    broken("an endless field", _OK + b"X: " + b"a" * 140_000, "bounded"),
    broken("an endless reason", b"HTTP/1.1 200 " + b"a" * 140_000, "bounded"),
    whole("Connection names the length", _field(b"Connection: content-length"), "RFC 9110 7.6.1"),
    whole("Connection names X", _field(b"Connection: x\r\nX: hop"), "RFC 9110 7.6.1"),
    whole("cookies", _field(b"Set-Cookie: a=b\r\nSet-Cookie2: c=d"), "shared by all callers"),
    whole(
        "fields of the hop", _field(b"Keep-Alive: timeout=1\r\nUpgrade: h2c\r\nTrailer: X"), "hop"
    ),
    whole("close", _field(b"Connection: close"), "RFC 9112 9.6", reuse=False),
)

_CUTS: Final = (
    broken("cut in the status line", _OK[:9], _CUT, then="closes"),
    broken("cut in the head", _OK + b"Content-Le", _CUT, then="closes"),
    broken("cut in the body", _sized(b"50"), _CUT, then="closes"),
    broken("cut in a chunk", _CHUNKED + b"ff\r\nhello", _CUT, then="closes"),
    broken("cut behind a chunk", _CHUNKED + b"5\r\nhello\r\n", _CUT, then="closes"),
    broken("cut behind the last size", _CHUNKED + b"5\r\nhello\r\n0\r\n", _CUT, then="closes"),
    broken("cut in a trailer", _CHUNKED + b"5\r\nhello\r\n0\r\nX: a\r\n", _CUT, then="closes"),
    broken("closed without a byte", b"", _CUT, then="closes"),
    broken("reset without a byte", b"", _CUT, then="resets"),
    broken("silence in the head", _OK, "bounded", then="waits"),
    broken("silence in the body", _sized(b"50"), "bounded", then="waits"),
    broken("reset in the head", _OK + b"Content-Le", _CUT, then="resets"),
    broken("reset in the body", _sized(b"50"), _CUT, then="resets"),
    broken("reset in a chunk", _CHUNKED + b"5\r\nhello\r\n", _CUT, then="resets"),
)


def _judged(status: int, body: bytes, encoding: bytes = b"") -> bytes:
    field = b"Content-Encoding: %b\r\n" % encoding if encoding else b""
    head = b"HTTP/1.1 %d Judged\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
    return head % (status, field, len(body)) + body


def _said(name: str, status: int, body: bytes, encoding: bytes = b"") -> Answer:
    """Looked at for what it says of the token, and passed on as it is."""
    wire = _judged(status, body, encoding)
    return Answer(name, wire, "bounded, and unchanged", body, status, reuse=None)


_BOMB: Final = gzip.compress(b"\0" * 20_000_000)
_NESTED: Final = b"[" * 60_000

_JUDGED: Final = (
    _said("gzip that is none", 400, b'{"code":300}', b"gzip"),
    _said("gzip that is cut", 400, gzip.compress(b'{"code":300,"message":"abc"}')[:-9], b"gzip"),
    _said("deflate without its head", 400, zlib.compress(b'{"code":300}')[2:-4], b"deflate"),
    _said("an unknown coding", 400, b'{"code":300}', b"x-secret"),
    _said("three codings", 400, b'{"code":300}', b"gzip, gzip, gzip"),
    _said("20 MB in 20 KB", 400, _BOMB, b"gzip"),
    _said("a bomb in a bomb", 400, gzip.compress(_BOMB), b"gzip, gzip"),
    _said("lists in lists", 400, _NESTED),
    _said("a body of 1 MB", 400, b" " * 1_000_000),
    _said("a number of 100,000 digits", 400, b'{"code":%b}' % (b"1" * 60_000)),
    _said("a refusal of 20 MB in 20 KB", 401, _BOMB, b"gzip"),
    _said("a refusal of 1 MB", 401, b" " * 1_000_000),
    _said("a refusal in a coding that is a lie", 401, b'{"code":124}', b"gzip"),
    _said("no JSON", 400, b"\xff\xfe\x00"),
)

ANSWERS: Final[tuple[Answer, ...]] = (
    *_FRAMINGS,
    *_CHUNKS,
    *_SURPLUS,
    *_INTERIM,
    *_HEADS,
    *_CUTS,
    *_JUDGED,
)
