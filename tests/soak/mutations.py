"""Bytes that were calls or answers once, and what chance made of them."""

import random
from collections.abc import Sequence
from typing import Final

from tests.support.raw_http import request
from tests.support.wrecks import PAGE, REFUSED
from tests.web.test_framing import BAD, FINE, MILD

_HIDDEN: Final = (
    b"GET /v2/hidden HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer evil\r\nX-Smuggled: 1\r\n\r\n"
)
"""What nobody may ever take for a call of ours: it stands in bodies."""

CALLS: Final = (
    *(data for data, _ in BAD.values()),
    *(data for data, _ in MILD.values()),
    *FINE.values(),
    request(),
    request(b"/v2/users?page_size=30&next_page_token=a%2Fb", b"Accept: */*", b"Cookie: a=b"),
    request(b"/v2/meetings/%252Fabc%253D%253D", b"Connection: keep-alive, X-A", b"X-A: 1"),
    request(b"/v2/x", b"Authorization: Bearer zoom-gateway.default", b"X-Zoom-Account: default"),
    request(b"/@default/v2/users/me", b"Connection: authorization, host"),
    request(b"/oauth/token?grant_type=account_credentials&account_id=demo-account", method=b"POST"),
    request(b"http://gateway.test:8080/v2/x"),
    request(b"/v2/x", b"Expect: 100-continue", method=b"POST", body=b"x" * 100),
    request(b"/v2/x", method=b"POST", body=_HIDDEN),
    request(b"/v2/x", method=b"PUT", body=_HIDDEN * 20) + request(),
    request(b"/v2/x", method=b"HEAD", version=b"1.0"),
    request(b"/v2/x", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"),
    request(b"/v2/x", b"Transfer-Encoding: chunked", method=b"PATCH")
    + b"%x\r\n%b\r\n5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n" % (len(_HIDDEN), _HIDDEN),
    request() + request(b"/v2/y", method=b"DELETE") + request(b"/v2/z"),
)

_JSON: Final = b'{"code":0,"message":"fine"}'


def _answer(status: int, *fields: bytes, body: bytes = b"") -> bytes:
    lines = [b"HTTP/1.1 %d Said" % status, *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


ANSWERS: Final = (
    _answer(200, b"Content-Length: %d" % len(_JSON), body=_JSON),
    _answer(201, b"Content-Type: application/json", b"Content-Length: 2", body=b"{}"),
    _answer(
        200, b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n3;x\r\nyou\r\n0\r\nT: x\r\n\r\n"
    ),
    _answer(200, b"Connection: close", body=b"until the end"),
    _answer(204, b"Set-Cookie: a=b", b"X-Zm-Trackingid: v=2.0;clid=us02"),
    _answer(100) + _answer(103, b"Link: </x>") + _answer(204),
    _answer(302, b"Location: https://elsewhere.test/", b"Content-Length: 0"),
    _answer(304, b'ETag: "x"'),
    _answer(
        400,
        b"Content-Type: application/json",
        b"Content-Length: 24",
        body=b'{"code":300,"message":1}',
    ),
    _answer(401, b"Content-Length: %d" % len(REFUSED), body=REFUSED),
    _answer(
        401, b"Content-Encoding: gzip", b"Content-Length: 20", body=b"\x1f\x8b\x08" + b"\0" * 17
    ),
    _answer(429, b"Retry-After: 1", b"X-RateLimit-Type: QPS", b"Content-Length: 2", body=b"{}"),
    _answer(503, b"Content-Type: text/html", b"Content-Length: %d" % len(PAGE), body=PAGE),
    _answer(200, b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    _answer(200, b"X-Big: " + b"a" * 9000, b"Content-Length: 5", body=b"hello"),
    _answer(101, b"Upgrade: websocket", b"Connection: Upgrade"),
)

_BITS: Final = (
    *(b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"%", b"#", b"?"),
    *(b"/", b"..", b"@", b"\xff", b"\xc3\xa4", b"0", b"-1", b"+5", b"0x5", b"f" * 17, b"9" * 20),
    *(
        b"chunked",
        b"identity",
        b"gzip",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ),
    *(b"Content-Length: 0\r\n", b"Transfer-Encoding : chunked\r\n", b"Connection: close\r\n"),
    *(b"Authorization: Bearer evil\r\n", b"Host: evil\r\n", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0"),
    *(b"Connection: content-length\r\n", b"Expect: 100-continue\r\n", b"5\r\nhello\r\n", _HIDDEN),
    b"a" * 20_000,
)
"""What readers of HTTP stumble over."""

_LONGEST: Final = 150_000


class Mutator:
    """Makes something new out of `seeds`. The same chance makes the same."""

    def __init__(self, seeds: Sequence[bytes], chance: random.Random) -> None:
        self._seeds = seeds
        self._chance = chance

    def fresh(self) -> bytes:
        """A seed after none to some changes."""
        data = self._chance.choice(self._seeds)
        for _ in range(self._chance.choice([0, 0, 1, 1, 1, 2, 3, 12])):
            data = self._changed(data)
        return data[:_LONGEST]

    def _changed(self, data: bytes) -> bytes:
        chance = self._chance
        at = chance.randint(0, len(data))
        end = min(len(data), at + chance.choice([1, 2, 4, 16, 200]))
        before, part, after = data[:at], data[at:end], data[end:]
        match chance.randrange(7):
            case 0:  # a bit
                first = bytes([part[0] ^ 1 << chance.randrange(8)]) if part else b""
                return before + first + part[1:] + after
            case 1:  # an end
                return before
            case 2:  # a hole
                return before + after
            case 3:  # a part more than once
                return before + part * chance.choice([2, 2, 3, 50]) + after
            case 4:  # another's end
                other = chance.choice(self._seeds)
                return before + other[chance.randint(0, len(other)) :]
            case 5:  # two of them
                return data + chance.choice(self._seeds)
            case _:  # a stumbling block, in the place of something or beside it
                return before + chance.choice(_BITS) + chance.choice([b"", part]) + after

    def pieces(self, data: bytes) -> list[bytes]:
        """The packets in which it is sent."""
        cuts = sorted(
            self._chance.choices(range(len(data) + 1), k=self._chance.choice([0, 0, 1, 3, 9]))
        )
        ends = zip([0, *cuts], [*cuts, len(data)], strict=True)
        return [data[start:end] for start, end in ends if start < end]
