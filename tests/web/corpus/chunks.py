"""Chunked bodies: sizes, extensions, line ends, trailers."""

from typing import Final

from tests.web.corpus.case import CHUNKED, SMUGGLED, Case, broken, first, passed

_SIZE: Final = "RFC 9112 7.1: chunk-size is 1*HEXDIG"
_LINE: Final = "RFC 9112 7.1: CRLF ends size and data"
_EXT: Final = "RFC 9112 7.1.1: chunk extensions"
_TRAILER: Final = "RFC 9112 7.1.2: trailers are fields, too"
_FORBIDDEN: Final = "RFC 9110 6.5.1: trailers do not mix with a header, least of all the next one"
_END: Final = b"0\r\n\r\n"


def _size(size: bytes) -> bytes:
    return CHUNKED + size + b"\r\nhello\r\n" + _END + SMUGGLED


def _trailers(trailers: bytes) -> bytes:
    return CHUNKED + b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n"


def _good(name: str, wire: bytes, why: str) -> Case:
    return passed(name, wire, why, first(b"hello"))


def _odd_end(name: str, wire: bytes, why: str) -> Case:
    """Right, but not to be told from trailers: the connection ends."""
    return passed(name, wire, why, first(b"hello"), ends=True)


def _trailing(name: str, trailers: bytes) -> Case:
    """Dropped; the connection ends, since the parser gives the last of them to the next call."""
    return passed(
        f"{name} as a trailer", _trailers(trailers), _FORBIDDEN, first(b"hello"), ends=True
    )


CASES: Final[tuple[Case, ...]] = (
    _good("one chunk", CHUNKED + b"5\r\nhello\r\n" + _END, _SIZE),
    _good(
        "five chunks", CHUNKED + b"1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n" + _END, _SIZE
    ),
    _good("size with leading zeros", CHUNKED + b"000005\r\nhello\r\n" + _END, _SIZE),
    _odd_end("end of many zeros", CHUNKED + b"5\r\nhello\r\n0000\r\n\r\n", _SIZE),
    passed(
        "size in capitals", CHUNKED + b"A\r\nhellohello\r\n" + _END, _SIZE, first(b"hellohello")
    ),
    broken("size 0x5", _size(b"0x5"), _SIZE),
    broken("size +5", _size(b"+5"), _SIZE),
    broken("size -5", _size(b"-5"), _SIZE),
    broken("size 0_5", _size(b"0_5"), _SIZE),
    broken("size 5h", _size(b"5h"), _SIZE),
    broken("size $5", _size(b"$5"), _SIZE),
    broken("no size", _size(b""), _SIZE),
    broken("an extension without a size", _size(b";a"), _SIZE),
    broken("blank before the size", _size(b" 5"), _SIZE),
    broken("blank behind the size", _size(b"5 "), _SIZE),
    broken("tab behind the size", _size(b"5\t"), _SIZE),
    broken("blank within the size", _size(b"5 5"), _SIZE),
    broken("NUL behind the size", _size(b"5\0"), _SIZE),
    broken("vertical tab before the size", _size(b"\x0b5"), _SIZE),
    broken("a quoted size", _size(b'"5"'), _SIZE),
    broken("a decimal list", _size(b"5,5"), _SIZE),
    broken("size of 2^64 + 5 wraps", _size(b"10000000000000005"), "overflow of 64 bits"),
    broken("size of 2^32 + 5 in 17 digits", _size(b"f" * 17), "overflow of 64 bits"),
    broken("size in Arabic digits", _size("\u0665".encode()), _SIZE),
    broken("bare LF behind the size", CHUNKED + b"5\nhello\r\n" + _END + SMUGGLED, _LINE),
    broken("bare CR behind the size", CHUNKED + b"5\rhello\r\n" + _END + SMUGGLED, _LINE),
    broken("two CR behind the size", CHUNKED + b"5\r\r\nhello\r\n" + _END + SMUGGLED, _LINE),
    broken("bare LF behind the data", CHUNKED + b"5\r\nhello\n" + _END + SMUGGLED, _LINE),
    broken("bare CR behind the data", CHUNKED + b"5\r\nhello\r" + _END + SMUGGLED, _LINE),
    broken("nothing behind the data", CHUNKED + b"5\r\nhello" + _END + SMUGGLED, _LINE),
    broken(
        "two bytes that are no CRLF behind the data",
        CHUNKED + b"5\r\nhelloXX" + _END + SMUGGLED,
        _LINE,
    ),
    broken("LF CR behind the data", CHUNKED + b"5\r\nhello\n\r" + _END + SMUGGLED, _LINE),
    broken("bare LF behind the last size", CHUNKED + b"5\r\nhello\r\n0\n\r\n" + SMUGGLED, _LINE),
    broken("bare LF at the end", CHUNKED + b"5\r\nhello\r\n0\r\n\n" + SMUGGLED, _LINE),
    broken("bare CR at the end", CHUNKED + b"5\r\nhello\r\n0\r\n\r" + SMUGGLED, _LINE),
    broken(
        "no last CRLF", CHUNKED + b"5\r\nhello\r\n0\r\n" + SMUGGLED, "the next call as trailers"
    ),
    broken("data longer than its size", CHUNKED + b"3\r\nhello\r\n" + _END + SMUGGLED, _LINE),
    broken("data shorter than its size", CHUNKED + b"7\r\nhello\r\n" + _END + SMUGGLED, _LINE),
    Case(
        "no end",
        CHUNKED + b"5\r\nhello\r\n",
        "the call never ends",
        (),
        ends=True,
        partial=True,
        eof=True,
    ),
    Case(
        "end in the middle of data",
        CHUNKED + b"ff\r\nhello",
        "the same",
        (),
        ends=True,
        partial=True,
        eof=True,
    ),
    _good("extension", CHUNKED + b"5;a=b\r\nhello\r\n" + _END, _EXT),
    _odd_end("extension without a value", CHUNKED + b"5;a\r\nhello\r\n0;b\r\n\r\n", _EXT),
    _good("quoted extension", CHUNKED + b'5;a="b;c\\"d"\r\nhello\r\n' + _END, _EXT),
    broken(
        "bare LF in an extension",
        CHUNKED + b"5;a\nhello\r\n" + _END + SMUGGLED,
        "funky chunks: TERM.EXT",
    ),
    broken(
        "bare CR in an extension",
        CHUNKED + b"5;a\rb\r\nhello\r\n" + _END + SMUGGLED,
        "funky chunks: EXT.TERM",
    ),
    broken(
        "line end in a quoted extension",
        CHUNKED + b'5;a="\r\nhello"\r\n' + _END + SMUGGLED,
        "funky chunks",
    ),
    broken("NUL in an extension", CHUNKED + b"5;a=\0\r\nhello\r\n" + _END + SMUGGLED, _EXT),
    _good("an extension of 70 KB", CHUNKED + b"5;" + b"a" * 70_000 + b"\r\nhello\r\n" + _END, _EXT),
    broken("length as a trailer", _trailers(b"Content-Length: 50\r\n") + SMUGGLED, _FORBIDDEN),
    broken("coding as a trailer", _trailers(b"Transfer-Encoding: x\r\n") + SMUGGLED, _FORBIDDEN),
    Case(
        "host as a trailer",
        _trailers(b"Host: evil\r\n"),
        _FORBIDDEN,
        (frozenset({200, 400}),),
        (first(b"hello"),),
        ends=True,
        dropped=True,
    ),
    _trailing("token", b"Authorization: Bearer evil\r\n"),
    _trailing("account", b"X-Zoom-Account: other\r\n"),
    _trailing("connection", b"Connection: x-check\r\n"),
    _trailing("expectation", b"Expect: 100-continue\r\n"),
    _trailing("type", b"Content-Type: text/evil\r\n"),
    _trailing("two fields", b"X-A: 1\r\nX-B: 0\r\n"),
    _trailing("a field whose value ends like the body", b"X-A: \t0\r\n"),
    broken("folded trailer", _trailers(b"X: a\r\n b\r\n") + SMUGGLED, "RFC 9112 5.2"),
    broken("trailer without a colon", _trailers(b"GET /v2/smuggled HTTP/1.1\r\n"), _TRAILER),
    broken("trailer with a blank before the colon", _trailers(b"X : a\r\n"), "RFC 9112 5.1"),
    broken("trailer with a bare LF", _trailers(b"X: a\n\r\n") + SMUGGLED, _LINE),
    broken("trailer with NUL", _trailers(b"X: a\0\r\n"), "RFC 9110 5.5"),
    broken("200 trailers", _trailers(b"X: a\r\n" * 200), "trailers count among the fields", 431),
    broken(
        "a trailer of 20 KB", _trailers(b"X: %b\r\n" % (b"a" * 20_000)), "the size of a field", 431
    ),
)
