"""Who calls, as far as the connection tells: never what the caller says of itself in a header."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

_LONGEST: Final = 256
"""Characters of a name that are logged."""

_FIRST: Final = ("spiffe://", "", "dns:", "email:", "ip:")
"""How names begin, in the order in which one of them stands for all; `""`: any other URI."""


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

    @property
    def name(self) -> str:
        """One of the names, for logs: a SPIFFE id or other URI first; empty if there is none."""
        return min(self.names, key=lambda name: (_rank(name), name), default="")[:_LONGEST]


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


def names_in(alternatives: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The names among a certificate's subject alternative names, as `ssl` gives them.

    Kinds that name no caller (directory names and the like) and what is no address are left out,
    and so is the subject's common name: nobody checks what it holds.
    """
    return frozenset(name for kind, value in alternatives if (name := _name(kind, value)))


def _name(kind: str, value: str) -> str:
    match kind:
        case "DNS" | "email":
            return f"{kind.lower()}:{value.lower()}"
        case "IP Address":
            # OpenSSL writes IPv6 in full, with a newline after it.
            try:
                return f"ip:{ip_address(value.strip())}"
            except ValueError:
                return ""
        case "URI" if not value.lower().startswith(_FIRST[2:]):
            return value
        case _:
            # Also a URI that would pass for a name of another kind.
            return ""


def _rank(name: str) -> int:
    return next((at for at, start in enumerate(_FIRST) if start and name.startswith(start)), 1)
