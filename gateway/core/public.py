"""Addresses that anybody may be sent to: those of the public Internet.

A redirect, or a name server, that leads a call to any other makes the gateway knock at doors that
its caller, or a stranger, could not reach: a cloud's metadata, a database, the machine itself.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

from gateway.core.zoom_hosts import address

_UNICAST: Final = IPv6Network("2000::/3")
"""All that was given out of IPv6 so far."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address is at its end."""


def is_public(text: str) -> bool:
    """Whether an address is one of them. A name is not, nor is an address of a certain link."""
    found = address(text)
    if not isinstance(found, IPv6Address):
        return found is not None and _is_public(found)
    if found in _NAT64:
        return _is_public(IPv4Address(int(found) & 0xFFFF_FFFF))
    # A tunnel makes an IPv4 address of some.
    inner = found.sixtofour or (found.teredo[1] if found.teredo else None)
    return found in _UNICAST and found.is_global and (inner is None or _is_public(inner))


def _is_public(found: IPv4Address) -> bool:
    return found.is_global and not found.is_multicast and not found.is_reserved
