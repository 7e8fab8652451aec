"""Where the gateway itself listens: an upstream address that is one of these would be a loop.

A hosts file, or a cluster's DNS, that sends callers with hard-coded hosts to the gateway may hold
for the gateway, too.
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from gateway.core.zoom_hosts import address

_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})


class LoopError(OSError):
    """The way to Zoom leads back here. The text says by which address."""


class OwnListeners:
    """The addresses of this process's listeners, once they are bound; and its certificate."""

    def __init__(self) -> None:
        self._ports: dict[int, set[str]] = {}
        self.certificate: Callable[[], bytes | None] = lambda: None
        """What callers are shown (DER); None: no TLS is spoken."""

    def add(self, sockets: Iterable[socket.socket]) -> None:
        """Callers are listened to here; a Unix socket is nobody's upstream."""
        for one in sockets:
            if one.family in _FAMILIES:
                name = one.getsockname()
                self.listens(str(name[0]), int(name[1]))

    def listens(self, host: str, port: int) -> None:
        """Callers are listened to at an address, which may stand for all."""
        self._ports.setdefault(port, set()).add(_plain(host))

    def refuse(self, host: str, found: Sequence[tuple[Any, ...]]) -> None:
        """Raises LoopError if one of the addresses that stand for `host` is a listener here.

        They are as `socket.getaddrinfo` gives them.
        """
        for *_, where in found:
            if self.has(str(where[0]), int(where[1])):
                raise LoopError(
                    f"{host} stands for {_plain(str(where[0]))} here, where the gateway itself"
                    " listens"
                )

    def has(self, host: str, port: int) -> bool:
        """Whether what connects there connects to this gateway."""
        ours = self._ports.get(port)
        if not ours:
            return False
        plain = _plain(host)
        if plain in ours:
            return True
        found = address(plain)
        if found is None:
            return False
        # Linux takes 0.0.0.0 and :: for this machine, as a place to connect to.
        everywhere = "::" if found.version == 6 else "0.0.0.0"  # noqa: PLR2004, S104  IPv6; compared
        if found.is_unspecified:
            return any(_is_here(one) for one in ours)
        return everywhere in ours and _is_here(plain)

    def shows(self, certificate: bytes | None) -> bool:
        """Whether it is the one that callers are shown here."""
        return certificate is not None and certificate == self.certificate()


def _plain(host: str) -> str:
    found = address(host)
    return host if found is None else str(found)


def _is_here(host: str) -> bool:
    """Whether the address is one of this machine's: no other can be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        return True
    return False
