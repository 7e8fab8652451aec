"""Addresses as settings write them: `192.0.2.7`, `192.0.2.7:8443`, `[2001:db8::7]:8443`."""

import re
from dataclasses import dataclass
from typing import Final

from gateway.core.zoom_hosts import address

_PLACE: Final = re.compile(
    r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)\]|(?P<ipv4>[0-9.]+))(?::(?P<port>[0-9]{1,5}))?"
)
_LAST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Place:
    """An address, and perhaps a port."""

    address: str
    port: int | None = None

    def __str__(self) -> str:
        if self.port is None:
            return self.address
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


def parse_place(text: str) -> Place:
    """Read one. Raises ValueError, with words that can follow the place of the value."""
    whole = address(text)
    if whole is not None:
        return Place(str(whole))
    match = _PLACE.fullmatch(text)
    found = address(match["bracketed"] or match["ipv4"]) if match else None
    if match is None or found is None:
        raise ValueError(
            "is no address: give one such as 192.0.2.7, 192.0.2.7:8443 or [2001:db8::7]:8443"
        )
    if match["port"] is None:
        return Place(str(found))
    port = int(match["port"])
    if not 0 < port <= _LAST_PORT:
        raise ValueError("must have a port from 1 to 65535")
    return Place(str(found), port)
