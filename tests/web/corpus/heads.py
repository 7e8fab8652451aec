"""Line ends, header fields and request lines."""

from typing import Final

from tests.web.corpus.case import (
    HOST,
    POST,
    SMUGGLED,
    Case,
    Status,
    declined,
    first,
    get,
    passed,
    refused,
)

_LINES: Final = "RFC 9112 2.2: lines end in CRLF"
_FOLD: Final = "RFC 9112 5.2: obs-fold"
_COLON: Final = "RFC 9112 5.1: no whitespace before the colon"
_NAME: Final = "RFC 9110 5.1: a name is a token"
_VALUE: Final = "RFC 9110 5.5: no CR, LF or NUL in a value"
_VERSION: Final = "RFC 9112 2.3: HTTP-version"
_REQUEST_LINE: Final = "RFC 9112 3: one blank between the parts"

_UNKNOWN: Final = frozenset({400, 501})
"""The parser names the method only if it came in one piece."""


def _got(name: str, fields: bytes, why: str) -> Case:
    return passed(name, get(fields=fields), why, _GOT)


def _bad_field(name: str, fields: bytes, why: str) -> Case:
    return refused(name, get(fields=fields) + SMUGGLED, 400, why)


def _bad_line(name: str, line: bytes, status: Status, why: str) -> Case:
    return refused(name, line + b"\r\n" + HOST + b"\r\n" + SMUGGLED, status, why)


_GOT: Final = first(b"", b"GET")

_LINE_ENDS: Final = (
    refused("bare LF everywhere", b"GET /v2/first HTTP/1.1\nHost: g\n\n" + SMUGGLED, 400, _LINES),
    refused("bare LF behind the line", b"GET /v2/first HTTP/1.1\nHost: g\r\n\r\n", 400, _LINES),
    refused("bare LF behind a field", get(fields=b"X: a\nY: b\r\n"), 400, _LINES),
    refused(
        "bare LF at the end", b"GET /v2/first HTTP/1.1\r\nHost: g\r\n\n" + SMUGGLED, 400, _LINES
    ),
    refused("bare CR everywhere", b"GET /v2/first HTTP/1.1\rHost: g\r\r" + SMUGGLED, 400, _LINES),
    refused("bare CR behind a field", get(fields=b"X: a\rY: b\r\n"), 400, _LINES),
    refused("CR CR LF", get(fields=b"X: a\r\r\n"), 400, _LINES),
    refused("LF CR", b"GET /v2/first HTTP/1.1\n\rHost: g\n\r\n\r" + SMUGGLED, 400, _LINES),
    refused(
        "bare CR at the end", b"GET /v2/first HTTP/1.1\r\nHost: g\r\n\r" + SMUGGLED, 400, _LINES
    ),
    passed("line ends before the call", b"\r\n\r\n" + get(), "RFC 9112 2.2", _GOT),
    refused("bare LF before the call", b"\n \n" + get(), 400, _LINES),
    refused("blank before the call", b" " + get(), 400, _LINES),
    refused("NUL before the call", b"\0" + get(), 400, _LINES),
)

_FIELDS: Final = (
    _bad_field("fold with a blank", b"X: a\r\n b\r\n", _FOLD),
    _bad_field("fold with a tab", b"X: a\r\n\tb\r\n", _FOLD),
    _bad_field("empty fold", b"X: a\r\n \r\n", _FOLD),
    refused(
        "fold of the first field",
        b"GET /v2/first HTTP/1.1\r\n Host: g\r\n\r\n" + SMUGGLED,
        400,
        _FOLD,
    ),
    _bad_field("blank before the colon", b"X : a\r\n", _COLON),
    _bad_field("tab before the colon", b"X\t: a\r\n", _COLON),
    _bad_field("vertical tab before the colon", b"X\x0b: a\r\n", _COLON),
    _bad_field("no colon", b"XYZ\r\n", _NAME),
    _bad_field("no name", b": x\r\n", _NAME),
    _bad_field("a second call as a field", b"GET /v2/smuggled HTTP/1.1\r\n", _NAME),
    _bad_field("a name with a blank", b"X Y: a\r\n", _NAME),
    _bad_field("a name with parentheses", b"X(Y): a\r\n", _NAME),
    _bad_field("a name with a slash", b"X/Y: a\r\n", _NAME),
    _bad_field("a name with a quote", b'X"Y: a\r\n', _NAME),
    _bad_field("a name with NUL", b"X\0Y: a\r\n", _NAME),
    _bad_field("a name with a high byte", b"X\xe4: a\r\n", _NAME),
    _bad_field("a name with DEL", b"X\x7f: a\r\n", _NAME),
    _bad_field("a name with a colon first", b":X: a\r\n", _NAME),
    _bad_field("NUL in a value", b"X: a\0b\r\n", _VALUE),
    _bad_field("bare CR in a value", b"X: a\rb\r\n", _VALUE),
    _bad_field("bell in a value", b"X: a\x07b\r\n", "RFC 9110 5.5: field-vchar"),
    _bad_field("DEL in a value", b"X: a\x7fb\r\n", "RFC 9110 5.5: field-vchar"),
    _bad_field("escape in a value", b"X: \x1b[2J\r\n", "RFC 9110 5.5: field-vchar"),
    _got("all signs of a token", b"!#$%&'*+-.^_`|~09azAZ: a\r\n", _NAME),
    _got("CRLF in percent signs", b"X: a%0d%0aX-Evil: b\r\n", "nothing is decoded"),
    _got("CRLF in overlong UTF-8", b"X: a\xc0\x8d\xc0\x8aX-Evil: b\r\n", "CR as C0 8D"),
    _got(
        "CRLF in wide characters", "X: a\u560d\u560aX-Evil: b\r\n".encode(), "cut to a byte: CR LF"
    ),
    _got("line separators of Unicode", "X: a\u2028b\u0085c\r\n".encode(), "splitlines() of some"),
    _got("tab in a value", b"X: a\tb\r\n", "RFC 9110 5.5"),
    _got("no value", b"X:\r\n", "RFC 9110 5.5"),
    _got("no blank behind the colon", b"X:a\r\n", "RFC 9112 5"),
    _got("request id with markup", b"X-Request-Id: <script>\r\n", "echoed: only sane ones"),
    _got("request id with CRLF in percent signs", b"X-Request-Id: a%0d%0aX: b\r\n", "echoed"),
    _got("request id with a high byte", b"X-Request-Id: a\xc0\x8d\xc0\x8ab\r\n", "echoed"),
    _got("request id of 10 KB", b"X-Request-Id: %b\r\n" % (b"a" * 10_000), "echoed"),
    _got("two request ids", b"X-Request-Id: a\r\nX-Request-Id: b\r\n", "echoed: which?"),
    _bad_field("request id with a bare CR", b"X-Request-Id: a\rSet-Cookie: b\r\n", _VALUE),
    _got("a token of the caller's", b"Authorization: Bearer evil\r\n", "ours replaces it"),
    _got(
        "two tokens of the caller's",
        b"Authorization: a\r\nAuthorization: b\r\n",
        "ours replaces both",
    ),
    _got("a token in another case", b"aUTHORIZATION: Bearer evil\r\n", "ours replaces it"),
    declined(
        "account with CRLF in percent signs",
        get(fields=b"X-Zoom-Account: a%0d%0ab\r\n"),
        404,
        "no such account",
    ),
    declined(
        "account with a high byte",
        get(fields=b"X-Zoom-Account: \xc0\x8a\r\n"),
        404,
        "no such account",
    ),
    declined(
        "two accounts",
        get(fields=b"X-Zoom-Account: default\r\nX-Zoom-Account: b\r\n"),
        400,
        "which?",
    ),
    _got("cookies", b"Cookie: a=b\r\nCookie: c=d\r\n", "not Zoom's"),
    _got("who calls", b"Forwarded: for=a\r\nX-Forwarded-For: a\r\nX-Real-IP: a\r\n", "not Zoom's"),
    refused("a field of 17 KB", get(fields=b"X: %b\r\n" % (b"a" * 17_000)), 431, "limit"),
    refused("a name of 17 KB", get(fields=b"X" * 17_000 + b": a\r\n"), 431, "limit"),
    refused("140 fields", get(fields=b"X: a\r\n" * 140), 431, "limit"),
    refused("80 KB of fields", get(fields=b"X: %b\r\n" % (b"a" * 8_000) * 10), 431, "limit"),
)

_LINES_OF_REQUESTS: Final = (
    _bad_line("unknown method", b"FOO /v2/first HTTP/1.1", _UNKNOWN, "RFC 9110 9.1"),
    _bad_line(
        "method in small letters", b"get /v2/first HTTP/1.1", _UNKNOWN, "RFC 9110 9.1: case counts"
    ),
    _bad_line(
        "a method that begins like another", b"GETX /v2/first HTTP/1.1", _UNKNOWN, "RFC 9110 9.1"
    ),
    _bad_line("no method", b" /v2/first HTTP/1.1", 400, _REQUEST_LINE),
    _bad_line("a method with a colon", b"G:T /v2/first HTTP/1.1", 400, "RFC 9110 9.1"),
    passed("two blanks before the target", get(b" /v2/first"), "RFC 9112 3: lenient", _GOT),
    passed("two blanks behind the target", get(b"/v2/first "), "RFC 9112 3: lenient", _GOT),
    _bad_line("tab before the target", b"GET\t/v2/first HTTP/1.1", 400, _REQUEST_LINE),
    _bad_line("tab behind the target", b"GET /v2/first\tHTTP/1.1", 400, _REQUEST_LINE),
    _bad_line("blank behind the version", b"GET /v2/first HTTP/1.1 ", 400, _REQUEST_LINE),
    _bad_line("a second version", b"GET /v2/first HTTP/1.1 HTTP/1.1", 400, _REQUEST_LINE),
    _bad_line("form feed behind the target", b"GET /v2/first\x0cHTTP/1.1", 400, _REQUEST_LINE),
    _bad_line("NUL in the target", b"GET /v2/\0first HTTP/1.1", 400, _REQUEST_LINE),
    _bad_line("bare CR in the target", b"GET /v2/\rfirst HTTP/1.1", 400, _REQUEST_LINE),
    _bad_line("HTTP/0.9", b"GET /v2/first", frozenset({400, 505}), "no version, no fields"),
    _bad_line("HTTP/0.9 by name", b"GET /v2/first HTTP/0.9", frozenset({400, 505}), _VERSION),
    _bad_line("HTTP/1.2", b"GET /v2/first HTTP/1.2", 400, _VERSION),
    _bad_line("HTTP/2.0", b"GET /v2/first HTTP/2.0", frozenset({400, 505}), _VERSION),
    _bad_line("HTTP/1.10", b"GET /v2/first HTTP/1.10", 400, _VERSION),
    _bad_line("HTTP/01.1", b"GET /v2/first HTTP/01.1", 400, _VERSION),
    _bad_line("HTTP/1", b"GET /v2/first HTTP/1", 400, _VERSION),
    _bad_line("HTTP/11", b"GET /v2/first HTTP/11", 400, _VERSION),
    _bad_line("HTTP/-1.1", b"GET /v2/first HTTP/-1.1", 400, _VERSION),
    _bad_line("http/1.1", b"GET /v2/first http/1.1", 400, _VERSION),
    _bad_line("HTTPS/1.1", b"GET /v2/first HTTPS/1.1", 400, _VERSION),
    passed("RTSP/1.0", get(version=b"RTSP/1.0"), "the parser reads HTTP/1.0", _GOT, last=True),
    _bad_line("RTSP/1.1", b"FOO /v2/first RTSP/1.1", _UNKNOWN, _VERSION),
    _bad_line("ICE/1.0", b"GET /v2/first ICE/1.0", 400, _VERSION),
    refused("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED, 400, "RFC 9113 3.4"),
    refused(
        "TLS",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + SMUGGLED,
        400,
        "https:// at this port",
    ),
    refused(
        "PROXY protocol",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + SMUGGLED,
        _UNKNOWN,
        "nobody may say who calls",
    ),
    refused(
        "PROXY protocol 2",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\1" * 12 + SMUGGLED,
        400,
        "the same",
    ),
    refused(
        "an answer",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
        400,
        "response as request",
    ),
    passed("HTTP/1.0", get(version=b"HTTP/1.0"), "RFC 9112 9.3: closed", _GOT, last=True),
    passed(
        "HTTP/1.0 with keep-alive",
        get(fields=b"Connection: keep-alive\r\n", version=b"HTTP/1.0"),
        "RFC 9112 9.3",
        _GOT,
    ),
    passed(
        "HTTP/1.0 without Host", b"GET /v2/first HTTP/1.0\r\n\r\n", "RFC 9112 3.2", _GOT, last=True
    ),
    passed(
        "POST and no body, under 1.0",
        POST.replace(b"1.1", b"1.0") + b"\r\n",
        "RFC 9112 6.3",
        first(b""),
        last=True,
    ),
)

CASES: Final[tuple[Case, ...]] = (*_LINE_ENDS, *_FIELDS, *_LINES_OF_REQUESTS)
