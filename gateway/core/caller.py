"""Who calls, as far as the connection tells: never what the caller says of itself in a header."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address


@dataclass(frozen=True, slots=True)
class Caller:
    """One end of a connection."""

    address: IPv4Address | IPv6Address | None
    """None: a Unix socket, whose file's permissions say who may connect."""
    names: frozenset[str] = frozenset()
    """Of the client certificate that was verified: `dns:NAME` and `email:NAME` in lower case,
    `ip:ADDRESS`, and URIs as they are (`spiffe://...`). Empty: it showed none."""

    def __str__(self) -> str:
        """The address, for logs; empty for a Unix socket."""
        return "" if self.address is None else str(self.address)


def caller_at(host: str, names: frozenset[str] = frozenset()) -> Caller:
    """The caller at the socket's address `host`; `""` for a Unix socket.

    An IPv4 address that a socket for IPv6 shows (`::ffff:192.0.2.1`) is one of IPv4, so that
    networks mean the same whatever the listener.
    """
    if not host:
        return Caller(None, names)
    address = ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return Caller(mapped or address, names)
