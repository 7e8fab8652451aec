"""Following Zoom's redirects: where to, with the token or without, and when not.

Zoom says of uploads that whoever follows must keep the token on the way to another host of Zoom's,
and of recordings that their signed addresses are asked without it. The token is shown to Zoom's
hosts alone, and no more once a redirect led away from them: a stranger must not choose what it is
used for.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote_from_bytes, urljoin

from gateway.core.errors import RedirectError
from gateway.core.headers import Field
from gateway.core.spelling import leniently
from gateway.core.zoom_hosts import address, canonical, is_api

MOST: Final = 5
"""Redirects that are followed for one sending of a call."""

LONGEST: Final = 16 * 1024
"""Bytes of a target. Signed addresses have one or two thousand."""

_FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})
_SEE_OTHER: Final = 303
_MOVED: Final = frozenset({301, 302})

_VISIBLE: Final = bytes(range(0x21, 0x7F))
_CONTROLS: Final = re.compile(rb"[\x00-\x1f\x7f]")
_SCHEME: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTHORITY: Final = re.compile(rb"//([A-Za-z0-9._-]+)(?::443)?(?=[/?]|$)")

_SIGNATURES: Final = frozenset(
    {b"signature", b"key-pair-id", b"x-amz-signature", b"x-goog-signature", b"sig"}
)
"""Parameters of signed addresses: CloudFront's, S3's, Google's and Azure's."""

_OF_BODIES: Final = frozenset(
    {
        b"content-length",
        b"transfer-encoding",
        b"content-type",
        b"content-encoding",
        b"content-language",
        b"content-location",
    }
)

_ABROAD: Final = _OF_BODIES | {
    b"host",
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"user-agent",
    b"range",
    b"if-range",
    b"if-match",
    b"if-none-match",
    b"if-modified-since",
    b"if-unmodified-since",
}
"""What a stranger's host is told of a call. A caller's other fields are for Zoom."""

_API_ROOTS: Final = frozenset({b"v1", b"v2", b"v3", b"scim", b"scim2", b"oauth", b"_hosts"})
"""First segments of paths that decide, act or give tokens, on whatever host of Zoom's."""


class Leg(NamedTuple):
    """One request on the way: `target` at `host`, by `method`.

    `token` says whether it is shown. `signed`: where that is refused without it, it may be shown.
    `abroad`: the way has led to a host that is not Zoom's, and the token is shown no more.
    `bodiless`: the body was left behind.
    """

    method: str
    host: str
    target: bytes
    token: bool = True
    signed: bool = False
    abroad: bool = False
    bodiless: bool = False


def first_leg(method: str, host: str, target: bytes) -> Leg:
    """What a call to `host`, one of Zoom's, begins with."""
    signed = is_signed(host, target)
    return Leg(method, host, target, token=not signed, signed=signed)


def is_signed(host: str, target: bytes) -> bool:
    """Whether the address itself gives the right to what is there."""
    if is_api(host):
        return False
    query = target.partition(b"?")[2]
    return any(one.partition(b"=")[0].lower() in _SIGNATURES for one in query.split(b"&"))


def next_leg(
    leg: Leg,
    status: int,
    locations: Sequence[bytes],
    is_zooms: Callable[[str], bool],
    asked: bytes,
) -> Leg | None:
    """Where an answer with these `Location` fields leads; None: it is passed on as it is.

    `asked` is the target that the caller named. `is_zooms` says to whom the token may be shown.
    Raises RedirectError for an address that nobody may be sent to.
    """
    if status not in _FOLLOWED or not locations:
        return None
    if len(set(locations)) > 1:
        raise _refused("it names several addresses")
    host, target = _resolve(leg, locations[0])
    zooms = is_zooms(host)
    abroad = leg.abroad or not zooms
    if not abroad and _acts(target) and _path(target) != _path(asked):
        # Rules were asked about the call's own path: who may call this asks for it.
        return None
    method = _method(status, leg.method)
    signed = not abroad and is_signed(host, target)
    return Leg(
        method,
        host,
        target,
        token=not (abroad or signed),
        signed=signed,
        abroad=abroad,
        bodiless=leg.bodiless or method != leg.method,
    )


def fields_of(leg: Leg, fields: Sequence[Field]) -> list[Field]:
    """What of a call's fields, the token among them, this leg carries."""
    kept: list[Field] = []
    for name, value in fields:
        lower = name.lower()
        if lower == b"host":
            kept.append((name, leg.host.encode("ascii")))
        elif lower == b"authorization":
            if leg.token and not leg.abroad:
                kept.append((name, value))
        elif not (leg.bodiless and lower in _OF_BODIES) and not (
            leg.abroad and lower not in _ABROAD
        ):
            kept.append((name, value))
    return kept


def _refused(why: str) -> RedirectError:
    return RedirectError(f"Zoom redirects the call to where it cannot go: {why}.")


def _method(status: int, method: str) -> str:
    """As browsers and the libraries of programs do it (RFC 9110 section 15.4)."""
    if (status == _SEE_OTHER and method != "HEAD") or (status in _MOVED and method == "POST"):
        return "GET"
    return method


def _acts(target: bytes) -> bool:
    return not _API_ROOTS.isdisjoint(leniently(_path(target))[:1])


def _path(target: bytes) -> bytes:
    return target.partition(b"?")[0]


def _resolve(leg: Leg, location: bytes) -> tuple[str, bytes]:
    """RFC 3986 section 5, but for what is not plainly `https://HOST/…`."""
    if _CONTROLS.search(location):
        raise _refused("the address holds control characters")
    # Servers put names of files into it as they are.
    text = quote_from_bytes(location.strip(b" "), safe=_VISIBLE).encode("ascii")
    text = text.partition(b"#")[0]
    if scheme := _SCHEME.match(text):
        if scheme[1].lower() != b"https":
            raise _refused("the address does not begin with https://")
        text = text[scheme.end() :]
        if not text.startswith(b"//"):
            raise _refused("the address names no host")
    host = leg.host
    if text.startswith(b"//"):
        host, text = _authority(text)
    if not text.startswith(b"/"):
        base, relative = leg.target.decode("ascii"), text.decode("ascii")
        text = (urljoin(base, relative) if relative else base).encode("ascii")
    if not text.startswith(b"/") or len(text) > LONGEST:
        raise _refused("the address is no path, or too long")
    return host, text


def _authority(text: bytes) -> tuple[str, bytes]:
    match = _AUTHORITY.match(text)
    name = match[1].decode("ascii") if match else ""
    host = canonical(name)
    if match is None or host is None or host != name.lower() or address(host) is not None:
        raise _refused("the address has no plain name of a host, or a port")
    rest = text[match.end() :]
    return host, rest if rest.startswith(b"/") else b"/" + rest
