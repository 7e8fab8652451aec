"""What a case of the corpus is: the bytes of a caller, and what must come of them."""

from dataclasses import dataclass
from typing import Final

HOST: Final = b"Host: g\r\n"
POST: Final = b"POST /v2/first HTTP/1.1\r\n" + HOST
CHUNKED: Final = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED: Final = b"GET /v2/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
"""What an attacker hides: it may be sent to Zoom only where it stands as a call of its own."""

Sent = tuple[bytes, bytes, bytes]
"""A request at Zoom: method, target, body."""

Status = int | frozenset[int]


@dataclass(frozen=True)
class Case:
    """`wire` is sent, and one good call behind it.

    `answers` are the statuses that the caller hears (a set: one of them), `sent` the complete
    requests that Zoom gets. If it `ends`, the connection is closed and the good call never acts;
    else it is answered; None: that depends on how the bytes arrive. `partial`: a request with
    an unfinished body may reach Zoom. `eof`: the caller ends its side behind `wire`, with no good
    call. `dropped`: where all comes in one packet, the parser drops the good calls with the bad
    one, and only the last answer is heard. `last`: the caller itself ends the connection.
    """

    name: str
    wire: bytes
    why: str
    answers: tuple[Status, ...]
    sent: tuple[Sent, ...] = ()
    methods: tuple[bytes, ...] = ()
    ends: bool | None = False
    partial: bool = False
    eof: bool = False
    dropped: bool = False
    last: bool = False


def refused(name: str, wire: bytes, status: Status, why: str) -> Case:
    """The connection ends, nothing is sent."""
    return Case(name, wire, why, (status,), ends=True)


def declined(name: str, wire: bytes, status: int, why: str) -> Case:
    """Refused, but well framed: the connection goes on."""
    return Case(name, wire, why, (status,))


def broken(name: str, wire: bytes, why: str, status: int = 400) -> Case:
    """The body breaks: 400, and at most a part of it is sent."""
    return Case(name, wire, why, (status,), ends=True, partial=True)


def passed(
    name: str, wire: bytes, why: str, *sent: Sent, ends: bool = False, last: bool = False
) -> Case:
    """Forwarded as these requests, each answered 200."""
    methods = tuple(method for method, _, _ in sent)
    ends = ends or last
    return Case(name, wire, why, (200,) * len(sent), sent, methods, ends=ends, last=last)


def first(body: bytes, method: bytes = b"POST") -> Sent:
    """The usual first request."""
    return method, b"/v2/first", body


def get(target: bytes = b"/v2/first", fields: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET %b %b\r\n%b%b\r\n" % (target, version, HOST, fields)
