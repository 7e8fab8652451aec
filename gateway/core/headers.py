"""Header fields on their way through: what is copied, what is dropped, what is ours.

RFC 9110 section 7.6.1: a proxy removes the fields of the hop and those that `Connection`
names. Ours are put in last, so that nothing a caller names there can strip them, and they
replace the caller's: set, never added.
"""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from gateway.core.errors import CallRefusedError, UpstreamBrokenError
from gateway.core.keys import DEFAULT_FIELD

Field = tuple[bytes, bytes]

_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

_OURS: Final = frozenset({b"host", b"authorization", b"content-length", b"expect"})
"""Replaced, or answered by us (`Expect`)."""

_PRIVATE: Final = frozenset(
    {
        b"cookie",
        b"forwarded",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-zoom-account",
        b"http2-settings",
    }
)
"""Meant for us, or about who calls us: no business of Zoom's. A cookie that Zoom set for one
caller would be shared by all. Every other `x-forwarded-*` goes with them."""

_TRACE: Final = frozenset({b"traceparent", b"tracestate", b"baggage"})
"""Who traces what inside the house; `gateway.core.trace` says what of it goes on, if any."""

_REQUEST_DROPPED: Final = _HOP | _OURS | _PRIVATE | _TRACE | {DEFAULT_FIELD}


def dropping(key_header: bytes) -> frozenset[bytes]:
    """The fields of a call that do not go on, where callers show keys in `key_header`.

    The field that shows keys by default is among them in any case: a caller may be ahead of, or
    behind, a change.
    """
    return _REQUEST_DROPPED | {key_header.lower()}


_CORS: Final = frozenset(
    {
        b"access-control-allow-origin",
        b"access-control-allow-credentials",
        b"access-control-allow-methods",
        b"access-control-allow-headers",
        b"access-control-allow-private-network",
        b"access-control-expose-headers",
        b"access-control-max-age",
        b"timing-allow-origin",
    }
)
"""Which pages may read an answer is said by Zoom for its own site, and for callers who had to show
a token; here it would open the gateway to every page."""

_LOOKED_AT: Final = frozenset({b"x-request-id", b"origin", b"sec-fetch-site"})
"""What is read of a call, and goes on all the same."""

_ANSWER_DROPPED: Final = (
    _HOP
    | _CORS
    | {
        b"set-cookie",
        b"set-cookie2",
        b"x-request-id",
        b"x-zoom-gateway-error",
    }
)
"""The last two are ours to say."""

_ANSWER_SPECIAL: Final = _ANSWER_DROPPED | {
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"x-zm-trackingid",
}
"""What is looked at, be it dropped or not."""

MAX_HEAD: Final = 64 * 1024
"""Bytes of all header fields of a call together, unless configured. Apache takes 100 of up to
8 KiB, nginx 32 KiB in all, Node 16."""

_NO_TOKEN: Final = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")
_BREAKS: Final = re.compile(rb"[\x00\r\n]")

_NONE: Final[tuple[bytes, ...]] = ()

_NO_FIELDS: Final = frozenset({b"close", b"keep-alive", b""})
"""What `Connection` nearly always says; none of it names a field that is still there."""

_MAX_LENGTH: Final = 2**63 - 1
"""Bytes. Above it parsers count wrong: some read 2^64 - 1 as no length at all."""

_MAX_DIGITS: Final = 32
"""Of a length, leading zeros included: Python refuses to read numbers of some thousands."""

CHUNKED: Final = (b"Transfer-Encoding", b"chunked")


class CallerHeaders(NamedTuple):
    """A call's header, read once.

    `kept` goes on to Zoom as it came. `special` holds the values of the dropped ones, and of
    those that are looked at, by their names in lower case.
    """

    kept: list[Field]
    special: Mapping[bytes, Sequence[bytes]]

    def values(self, name: bytes) -> Sequence[bytes]:
        return self.special.get(name, _NONE)


class AnswerHeaders(NamedTuple):
    """An answer's header, read once.

    `kept` goes on to the caller, `Content-Length` included if it counts. `length` is the
    body's length in bytes if it is known beforehand.
    """

    kept: list[Field]
    length: int | None
    content_type: bytes
    content_encoding: bytes
    tracking_id: bytes


def read_caller(
    raw: Sequence[Field], limit: int = MAX_HEAD, dropped: Container[bytes] = _REQUEST_DROPPED
) -> CallerHeaders:
    """Split a call's header fields; those `dropped`, named in lower case, are special.

    Raises CallRefusedError if one could smuggle another, or if together they have more than
    `limit` bytes.
    """
    if sum([len(name) + len(value) for name, value in raw]) > limit:
        raise CallRefusedError(
            431,
            "headers_too_large",
            f"The header is longer than {limit} bytes.",
            close=True,
            limit="header_bytes",
        )
    if _unsafe(raw):
        raise CallRefusedError(
            400, "bad_header", "A header field holds characters that HTTP forbids.", close=True
        )
    kept: list[Field] = []
    special: dict[bytes, list[bytes]] = {}
    for field in raw:
        name = field[0].lower()
        if name in dropped:
            special.setdefault(name, []).append(field[1])
        elif not name.startswith(b"x-forwarded-"):
            kept.append(field)
            if name in _LOOKED_AT:
                special.setdefault(name, []).append(field[1])
    if b"connection" in special:
        kept = _without(kept, _named(special[b"connection"]))
    return CallerHeaders(kept, special)


def framing(caller: CallerHeaders, *, http11: bool) -> Field | None:
    """Give the field that frames the body on its way to Zoom; None if there is no body.

    A length goes on as the caller declared it, without leading zeros: to some they are octal.
    Raises CallRefusedError, with `close`, where two readers could disagree about where the body
    ends (RFC 9112 section 6.1 and 6.3).
    """
    codings, lengths = caller.values(b"transfer-encoding"), caller.values(b"content-length")
    if codings:
        if lengths or not http11:
            raise _bad_framing("Transfer-Encoding stands beside Content-Length or under HTTP/1.0")
        if len(codings) > 1 or codings[0].strip().lower() != b"chunked":
            raise CallRefusedError(
                501,
                "transfer_encoding",
                "The only transfer coding that is understood is 'chunked'.",
                close=True,
            )
        return CHUNKED
    if not lengths:
        return None
    length = _number(lengths[0]) if len(lengths) == 1 else None
    if length is None:
        raise _bad_framing("Content-Length is not one number of a sane size")
    return (b"Content-Length", b"%d" % length)


def for_upstream(caller: CallerHeaders, host: bytes, frame: Field | None) -> list[Field]:
    """Give the fields that every sending of a call shares; `authorized` completes them."""
    fields = [*caller.kept, (b"Host", host)]
    if frame is not None:
        fields.append(frame)
    return fields


def authorized(fields: Sequence[Field], token: str) -> list[Field]:
    """Add the token, last. Raises ValueError if it could end the field."""
    value = b"Bearer " + token.encode("ascii")
    if _BREAKS.search(value):
        raise ValueError("the token holds a line break")  # never the value itself
    return [*fields, (b"Authorization", value)]


def read_answer(raw: Sequence[Field]) -> AnswerHeaders:
    """Split an answer's header fields. Raises UpstreamBrokenError if they contradict."""
    if _unsafe(raw):
        raise UpstreamBrokenError("a header field holds characters that HTTP forbids")
    kept: list[Field] = []
    read: dict[bytes, list[bytes]] = {}
    for field in raw:
        name = field[0].lower()
        if name in _ANSWER_SPECIAL:
            read.setdefault(name, []).append(field[1])
            if name in _ANSWER_DROPPED:
                continue
        kept.append(field)
    if b"connection" in read:
        kept = _without(kept, _named(read[b"connection"]) - {b"content-length"})
    length = None
    if b"transfer-encoding" in read:
        kept = _without(kept, {b"content-length"})
    elif b"content-length" in read:
        length = _length(read[b"content-length"])
        if read[b"content-length"] != [written := b"%d" % length]:
            kept = [*_without(kept, {b"content-length"}), (b"Content-Length", written)]
    return AnswerHeaders(
        kept,
        length,
        b",".join(read.get(b"content-type", _NONE)),
        b",".join(read.get(b"content-encoding", _NONE)),
        b",".join(read.get(b"x-zm-trackingid", _NONE)),
    )


def _length(values: Sequence[bytes]) -> int:
    length = _number(values[0]) if len(set(values)) == 1 else None
    if length is None:
        raise UpstreamBrokenError("the length of the answer is not one number of a sane size")
    return length


def _number(digits: bytes) -> int | None:
    # `isdigit` of bytes takes ASCII alone; int() would take signs and underscores, too.
    if len(digits) > _MAX_DIGITS or not digits.isdigit():
        return None
    number = int(digits)
    return number if number <= _MAX_LENGTH else None


def _named(connection: Iterable[bytes]) -> set[bytes]:
    return {token.strip(b" \t").lower() for token in b",".join(connection).split(b",")}


def _without(fields: list[Field], names: set[bytes]) -> list[Field]:
    if not names - _NO_FIELDS:
        return fields
    return [field for field in fields if field[0].lower() not in names]


def _unsafe(raw: Sequence[Field]) -> bool:
    """Names must be tokens, and values hold no line break or NUL (RFC 9110 section 5.5)."""
    return (
        _NO_TOKEN.search(b"".join([name for name, _ in raw])) is not None
        or _BREAKS.search(b"".join([value for _, value in raw])) is not None
    )


def _bad_framing(message: str) -> CallRefusedError:
    return CallRefusedError(
        400, "bad_framing", f"{message}: where the body ends is in doubt.", close=True
    )
