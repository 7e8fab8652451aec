"""To which hosts the token and the app's secret may go: a name decides, by its labels.

Nothing that a server answers widens this: not a redirect, not the `api_url` beside a token.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

ZOOMS: Final = ("zoom.us", "zoomgov.com")
"""Zoom's domains, the second is for Zoom for Government: they and all below them are Zoom's."""

_API: Final = re.compile(r"(api(-[a-z0-9]+)?|fileapi|file)")
"""First labels of hosts that have the operations of the API: each region's, and uploads'."""

LOCALHOST: Final = "localhost"

BELOW: Final = "*."
"""Before a domain: all names below it, and not itself."""

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that makes resolvers take the whole for an IPv4 address, such as `127.1`."""

_LONGEST: Final = 253
"""Characters of a name (RFC 1035, section 2.3.4)."""

Address = IPv4Address | IPv6Address


def canonical(host: str) -> str | None:
    """The one way to write a host, or None for what is none.

    A name in lower case, without the dot that may end it; an address as `ipaddress` writes it,
    and an IPv4 address even if it is wrapped in an IPv6 one. Names in other letters than ASCII's
    are none: some stand for ASCII's, others only look like them. (Their `xn--` form is a name
    like any other.)
    """
    found = address(host)
    if found is not None:
        return str(found)
    if not host.isascii() or len(host) > _LONGEST + 1:
        return None
    labels = host.lower().removesuffix(".").split(".")
    if not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        return None
    return ".".join(labels)


def address(host: str) -> Address | None:
    """The address that `host` is, as it is written in full; None for a name.

    One with a zone (`fe80::1%eth0`) is none: which machine it is depends on who asks.
    """
    if "%" in host:
        return None
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on the machine.

    True for the name `localhost`; who resolves it must see that it does stand for this machine.
    """
    found = address(host)
    return canonical(host) == LOCALHOST if found is None else found.is_loopback


def within(host: str, domain: str) -> bool:
    """Whether a name in its canonical form is the domain, or below it."""
    return host == domain or host.endswith(f".{domain}")


def is_zooms(host: str) -> bool:
    """Whether the host is Zoom's."""
    name = canonical(host)
    return name is not None and any(within(name, domain) for domain in ZOOMS)


def is_api(host: str) -> bool:
    """Whether a name in its canonical form is that of a host of Zoom's API."""
    label, _, domain = host.partition(".")
    return domain in ZOOMS and _API.fullmatch(label) is not None


def is_trusted(host: str, trusted: Iterable[str]) -> bool:
    """Whether the host is among `trusted`: names, addresses, and `*.` before a domain."""
    name = canonical(host)
    return name is not None and any(_matches(name, pattern) for pattern in trusted)


def _matches(name: str, pattern: str) -> bool:
    if not pattern.startswith(BELOW):
        return name == canonical(pattern)
    domain = canonical(pattern.removeprefix(BELOW))
    # Nothing is below an address, though its digits may end like one.
    return domain is not None and address(name) is None and name.endswith(f".{domain}")


def may_have_token(host: str, trusted: Iterable[str] = ()) -> bool:
    """Whether the token, and what it is minted with, may be sent to this host."""
    return is_zooms(host) or is_loopback(host) or is_trusted(host, trusted)
