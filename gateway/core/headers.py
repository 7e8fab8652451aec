"""Header fields on their way through: what is copied, what is dropped, what is ours.

RFC 9110 section 7.6.1: a proxy removes the fields of the hop and those that `Connection`
names. Ours are put in last, so that nothing a caller names there can strip them, and they
replace the caller's: set, never added.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from gateway.core.errors import CallRefusedError, UpstreamBrokenError
from gateway.core.fates import Fate, Fates
from gateway.core.keys import DEFAULT_FIELD
from gateway.core.lengths import is_plain, number
from gateway.core.repeated import Repeated, Varied

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

_ANSWER_LOOKED_AT: Final = frozenset(
    {
        b"connection",
        b"transfer-encoding",
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"x-zm-trackingid",
    }
)
"""What is read of an answer, be it dropped or not."""

MAX_HEAD: Final = 64 * 1024
"""Bytes of all header fields of a call together, unless configured. Apache takes 100 of up to
8 KiB, nginx 32 KiB in all, Node 16."""

_NONE: Final[tuple[bytes, ...]] = ()

_NO_FIELDS: Final = frozenset({b"close", b"keep-alive", b""})
"""What `Connection` nearly always says; none of it names a field that is still there."""

CHUNKED: Final = (b"Transfer-Encoding", b"chunked")

_KEPT: Final = Fate.KEPT
_DROPPED: Final = Fate.DROPPED
_KEPT_AND_READ: Final = Fate.KEPT_AND_READ


def dropping(*key_headers: bytes) -> Fates:
    """The fates of a call's fields, where callers show keys in one of `key_headers`, or did.

    The field that shows keys by default does not go on in any case: a caller may be ahead of, or
    behind, a change.
    """
    dropped = _REQUEST_DROPPED.union(name.lower() for name in key_headers)
    return Fates(dropped, dropped | _LOOKED_AT, b"x-forwarded-")


_USUAL: Final = dropping()

VARIES: Final = _TRACE | {b"x-request-id"}
"""What is read of a call and says no more than which one it is."""

_FIXED: Final = (b"content-", b"sec-", b"x-forwarded-")


def may_vary(name: bytes) -> bool:
    """Whether a field of this name (in lower case) says nothing but to Zoom, or who a call is.

    Nothing that is found out about the rest of a header depends on its value. What shows keys is
    not known here.
    """
    if name in VARIES:
        return True
    return not (name in _REQUEST_DROPPED or name in _LOOKED_AT or name.startswith(_FIXED))


ANSWERED: Final = Fates(_ANSWER_DROPPED, _ANSWER_LOOKED_AT)
"""The fates of an answer's fields."""


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

    `lines` go on to the caller, as `name: value`, `Content-Length` included if it counts.
    `length` is the body's length in bytes if it is known beforehand.
    """

    lines: list[bytes]
    length: int | None
    content_type: bytes
    content_encoding: bytes
    tracking_id: bytes

    @property
    def kept(self) -> list[Field]:
        """The fields of `lines`."""
        # No name has a colon in it, so this is what they were made of.
        return [(name, value) for name, _, value in (at.partition(b": ") for at in self.lines)]


class KnownFields(list[Field]):
    """An answer's fields, of which it is known already what `read_answer` makes of them."""

    __slots__ = ("common", "read")

    read: AnswerHeaders
    common: bool
    """Whether each of them may be remembered as it is."""


def read_caller(
    raw: Sequence[Field], limit: int = MAX_HEAD, dropped: Fates = _USUAL
) -> CallerHeaders:
    """Split a call's header fields; `dropped` says which do not go on.

    Raises CallRefusedError if one could smuggle another, or if together they have more than
    `limit` bytes.
    """
    whole = b"".join(chain.from_iterable(raw))
    if len(whole) > limit:
        raise CallRefusedError(
            431,
            "headers_too_large",
            f"The header is longer than {limit} bytes.",
            close=True,
            limit="header_bytes",
        )
    kept: list[Field] = []
    special: dict[bytes, list[bytes]] = {}
    try:
        _refuse_breaks(whole)
        for field in raw:
            fate = dropped[field[0]]
            if fate is _KEPT:
                kept.append(field)
            elif fate is not _DROPPED:
                special.setdefault(field[0].lower(), []).append(field[1])
                if fate is _KEPT_AND_READ:
                    kept.append(field)
    except ValueError:
        raise CallRefusedError(
            400, "bad_header", "A header field holds characters that HTTP forbids.", close=True
        ) from None
    if b"connection" in special:
        kept = _without_named(kept, special[b"connection"])
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
    length = number(lengths[0]) if len(lengths) == 1 else None
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
    if type(fields) is Repeated:
        if fields.signed is None or fields.token != token:
            signed = authorized([*fields], token)
            fields.signed, fields.token = Repeated(signed, fields.spots), token
        return fields.signed
    if type(fields) is Varied:
        shared = authorized(fields.base, token)
        assert type(shared) is Repeated  # noqa: S101  # as the base is
        return shared.varied(fields.values)
    value = b"Bearer " + token.encode("ascii")
    _refuse_breaks(value)
    return [*fields, (b"Authorization", value)]


def read_answer(raw: Sequence[Field]) -> AnswerHeaders:
    """Split an answer's header fields. Raises UpstreamBrokenError if they contradict.

    Nearly all answers say each thing once, and `Connection` names no field.
    """
    if type(raw) is KnownFields:
        return raw.read
    kept: list[Field] = []
    read: dict[bytes, bytes] = {}
    try:
        _refuse_breaks(b"".join([value for _, value in raw]))
        for field in raw:
            fate = ANSWERED[field[0]]
            if fate is _KEPT:
                kept.append(field)
            elif fate is not _DROPPED:
                name = field[0].lower()
                if name in read:
                    return _read_with_care(raw)
                read[name] = field[1]
                if fate is _KEPT_AND_READ:
                    kept.append(field)
    except ValueError:
        raise UpstreamBrokenError("a header field holds characters that HTTP forbids") from None
    get = read.get
    digits = get(b"content-length")
    if (
        get(b"connection", b"").lower() not in _NO_FIELDS
        or b"transfer-encoding" in read
        or not (digits is None or is_plain(digits))
    ):
        return _read_with_care(raw)
    return AnswerHeaders(
        [name + b": " + value for name, value in kept],
        None if digits is None else int(digits),
        get(b"content-type", b""),
        get(b"content-encoding", b""),
        get(b"x-zm-trackingid", b""),
    )


def _read_with_care(raw: Sequence[Field]) -> AnswerHeaders:
    """What `read_answer` does, for any answer."""
    kept: list[Field] = []
    read: dict[bytes, list[bytes]] = {}
    try:
        _refuse_breaks(b"".join([value for _, value in raw]))
        for field in raw:
            fate = ANSWERED[field[0]]
            if fate is _KEPT:
                kept.append(field)
            elif fate is not _DROPPED:
                read.setdefault(field[0].lower(), []).append(field[1])
                if fate is _KEPT_AND_READ:
                    kept.append(field)
    except ValueError:
        raise UpstreamBrokenError("a header field holds characters that HTTP forbids") from None
    if b"connection" in read:
        kept = _without_named(kept, read[b"connection"], but=b"content-length")
    length = None
    if b"transfer-encoding" in read:
        kept = _without(kept, {b"content-length"})
    elif b"content-length" in read:
        length = _length(read[b"content-length"])
        if read[b"content-length"] != [written := b"%d" % length]:
            kept = [*_without(kept, {b"content-length"}), (b"Content-Length", written)]
    get = read.get
    return AnswerHeaders(
        [name + b": " + value for name, value in kept],
        length,
        b",".join(get(b"content-type", _NONE)),
        b",".join(get(b"content-encoding", _NONE)),
        b",".join(get(b"x-zm-trackingid", _NONE)),
    )


def _length(values: Sequence[bytes]) -> int:
    length = number(values[0]) if len(set(values)) == 1 else None
    if length is None:
        raise UpstreamBrokenError("the length of the answer is not one number of a sane size")
    return length


def _without_named(fields: list[Field], connection: list[bytes], but: bytes = b"") -> list[Field]:
    """Leave out what the values of `Connection` name, except for the field `but`."""
    if len(connection) == 1 and connection[0].lower() in _NO_FIELDS:
        return fields
    named = {token.strip(b" \t").lower() for token in b",".join(connection).split(b",")}
    return _without(fields, named - {but})


def _without(fields: list[Field], names: set[bytes]) -> list[Field]:
    if not names - _NO_FIELDS:
        return fields
    return [field for field in fields if field[0].lower() not in names]


def _refuse_breaks(values: bytes) -> None:
    """Raise ValueError, which does not repeat them, for a line break or NUL (RFC 9110 section
    5.5). Three searches for a byte are several times as fast as one for a set of them.
    """
    if b"\r" in values or b"\n" in values or b"\0" in values:
        raise ValueError("a value holds a line break")


def _bad_framing(message: str) -> CallRefusedError:
    return CallRefusedError(
        400, "bad_framing", f"{message}: where the body ends is in doubt.", close=True
    )
