"""Calls behind calls: pipelining, offers to upgrade, Expect, and what Connection names."""

from typing import Final

from tests.web.corpus.case import HOST, POST, SMUGGLED, Case, Sent, Status, first, get, passed

_PIPELINE: Final = "RFC 9112 9.3.2: pipelining"
_UPGRADE: Final = "RFC 9110 7.8: an upgrade that is declined"
_EXPECT: Final = "RFC 9110 10.1.1: Expect"
_NAMED: Final = "RFC 9110 7.6.1: fields that Connection names"
_GOT: Final = first(b"", b"GET")
_HELLO: Final = POST + b"Content-Length: 5\r\n\r\nhello"
_UNKNOWN: Final = frozenset({400, 501})
_SECOND: Final = get(b"/v2/second")
_THEN: Final[Sent] = (b"GET", b"/v2/second", b"")


def _half(name: str, good: bytes, bad: bytes, status: Status, *sent: Sent) -> Case:
    """Good calls, then a bad one in the same packet."""
    answers = (200,) * len(sent) + (status,)
    return Case(name, good + bad, _PIPELINE, answers, sent, ends=True, partial=True, dropped=True)


def _behind(name: str, good: bytes, why: str) -> Case:
    """The caller's own last call, and more: in one packet, or behind the end."""
    answers = (frozenset({200, 400}),)
    return Case(f"behind {name}", good + SMUGGLED, why, answers, (_GOT,), ends=True, dropped=True)


def _named(name: str, value: bytes, fields: bytes = b"", *, last: bool = False) -> Case:
    return passed(
        name, get(fields=b"Connection: %b\r\n%b" % (value, fields)), _NAMED, _GOT, last=last
    )


def _expecting(name: str, value: bytes, why: str = _EXPECT) -> Case:
    wire = POST + b"Expect: %b\r\nContent-Length: %d\r\n\r\n" % (value, len(SMUGGLED)) + SMUGGLED
    return passed(name, wire, why, first(SMUGGLED))


def _upgrade(name: str, fields: bytes, *, ends: bool = True) -> Case:
    """With an offer the connection ends: the parser may drop what follows."""
    wire = get(fields=fields) + SMUGGLED
    if ends:
        return Case(name, wire, _UPGRADE, (200,), (_GOT,), ends=True)
    return passed(name, wire, _UPGRADE, _GOT, (b"GET", b"/v2/smuggled", b""))


_PIPELINES: Final = (
    passed("two calls", get() + _SECOND, _PIPELINE, _GOT, _THEN),
    passed(
        "three calls, two bodies",
        _HELLO + _SECOND + _HELLO,
        _PIPELINE,
        first(b"hello"),
        _THEN,
        first(b"hello"),
    ),
    passed(
        "HEAD, then GET",
        b"HEAD /v2/first HTTP/1.1\r\n" + HOST + b"\r\n" + _SECOND,
        _PIPELINE,
        first(b"", b"HEAD"),
        _THEN,
    ),
    passed("line ends between calls", get() + b"\r\n\r\n" + _SECOND, "RFC 9112 2.2", _GOT, _THEN),
    _behind("close", get(fields=b"Connection: close\r\n"), "RFC 9112 9.6"),
    _behind("1.0", get(version=b"HTTP/1.0"), "RFC 9112 9.3"),
    _half("a good call, then garbage", get(), b"\0garbage\r\n\r\n", 400, _GOT),
    _half(
        "a good call, then a bare LF", get(), b"GET /v2/smuggled HTTP/1.1\nHost: g\n\n", 400, _GOT
    ),
    _half(
        "a good call, then both framings",
        _HELLO,
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
        400,
        first(b"hello"),
    ),
    _half(
        "two good calls, then no Host",
        _HELLO + _SECOND,
        b"GET /v2/smuggled HTTP/1.1\r\n\r\n",
        400,
        first(b"hello"),
        _THEN,
    ),
    _half("a good call, then a long target", get(), get(b"/" + b"a" * 9000), 414, _GOT),
    _half(
        "a good call, then an unknown method", get(), get().replace(b"GET", b"FOO"), _UNKNOWN, _GOT
    ),
    _half(
        "a good call, then a broken chunk",
        get(),
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + SMUGGLED,
        400,
        _GOT,
    ),
    _half(
        "good chunks, then garbage",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"0\r\n\r\n" + SMUGGLED,
        400,
        first(b"hello"),
    ),
    _half(
        "a body shorter than the sender thinks",
        POST + b"Content-Length: 3\r\n\r\nhel",
        b"lo" + SMUGGLED,
        _UNKNOWN,
        first(b"hel"),
    ),
)

_UPGRADES: Final = (
    _upgrade(
        "h2c",
        b"Connection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
    ),
    _upgrade(
        "websocket",
        b"Connection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n",
    ),
    _upgrade(
        "websocket in an odd version",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\n",
    ),
    _upgrade("tcp", b"Connection: upgrade\r\nUpgrade: tcp\r\n"),
    _upgrade("Connection without Upgrade", b"Connection: Upgrade\r\n", ends=False),
    _upgrade("Upgrade without Connection", b"Upgrade: websocket\r\n", ends=False),
    Case(
        "an offer with a body",
        POST
        + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello"
        + SMUGGLED,
        _UPGRADE,
        (200,),
        (first(b"hello"),),
        ends=True,
    ),
    Case(
        "an offer with chunks",
        POST + b"Connection: Upgrade\r\n"
        b"Upgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
        _UPGRADE,
        (200,),
        (first(b"hello"),),
        ends=True,
    ),
)

_EXPECTS: Final = (
    _expecting("100-continue with the body at once", b"100-continue"),
    _expecting("100-Continue in capitals", b"100-CONTINUE"),
    _expecting("an unknown expectation", b"tea"),
    _expecting("an obfuscated expectation", b"y 100-continue"),
    _expecting("an expectation with a parameter", b"100-continue;q=1"),
    _expecting("a list of expectations", b"100-continue, 100-continue"),
    _expecting("two expectations", b"100-continue\r\nExpect: x"),
    _expecting("an empty expectation", b""),
    passed("an expectation without a body", get(fields=b"Expect: 100-continue\r\n"), _EXPECT, _GOT),
    passed(
        "an expectation with a length of zero",
        POST + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        _EXPECT,
        first(b""),
    ),
    passed(
        "an expectation under 1.0",
        POST.replace(b"1.1", b"1.0") + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        _EXPECT,
        first(b"hello"),
        last=True,
    ),
    Case(
        "a refusal, and the body that nobody asked for",
        POST.replace(b"/v2", b"/@nobody")
        + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)
        + SMUGGLED,
        "the body of a refused call is no call",
        (404,),
        ends=None,
    ),
    Case(
        "a refusal and its body",
        POST.replace(b"/v2", b"/@nobody")
        + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED)
        + SMUGGLED,
        "the body of a refused call is no call",
        (404,),
    ),
    Case(
        "a refusal and its chunks",
        POST.replace(b"/v2", b"/@nobody")
        + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
        "the body of a refused call is no call",
        (404,),
    ),
    Case(
        "a refusal, and chunks that break",
        POST.replace(b"/v2", b"/@nobody") + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + SMUGGLED,
        "either answer is right; nothing may follow",
        (frozenset({400, 404}),),
        ends=True,
        partial=True,
    ),
)

_CONNECTIONS: Final = (
    _named("authorization", b"authorization", b"Authorization: Bearer evil\r\n"),
    _named("host", b"host"),
    _named("account", b"x-zoom-account", b"X-Zoom-Account: default\r\n"),
    _named("cookie", b"cookie", b"Cookie: a=b\r\n"),
    _named("request id", b"x-request-id", b"X-Request-Id: a\r\n"),
    _named("a list with odd blanks", b" ,\tauthorization ,, host\t, x ", b"X: y\r\n"),
    _named("all of them", b"host, authorization, content-length, transfer-encoding, connection"),
    _named("no token", b'(authorization) "host" @'),
    _named("close and X", b"close, X", b"X: y\r\n", last=True),
    _named("X and close", b"X ,\tCLOSE", b"X: y\r\n", last=True),
    _named("close and keep-alive", b"close, keep-alive", last=True),
    _named("two fields", b"keep-alive\r\nConnection: close", last=True),
    _named("closed is not close", b"closed"),
    passed(
        "length",
        POST + b"Connection: content-length\r\nContent-Length: 5\r\n\r\nhello",
        _NAMED,
        first(b"hello"),
    ),
    passed(
        "coding",
        POST + b"Connection: transfer-encoding\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        _NAMED,
        first(b"hello"),
    ),
    passed(
        "fields of the hop",
        POST
        + b"Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: trailers\r\nTrailer: X\r\n"
        + b"Proxy-Authorization: Basic eA==\r\nContent-Length: 5\r\n\r\nhello",
        _NAMED,
        first(b"hello"),
        last=True,
    ),
)

CASES: Final[tuple[Case, ...]] = (*_PIPELINES, *_UPGRADES, *_EXPECTS, *_CONNECTIONS)
