"""The addresses of names: those that are configured, or from the system's resolver, which may hang.

A lookup that has begun cannot be called off, and may take the resolver half a minute. So those who
ask at the same time share one, few are under way, and none holds up other work in threads, nor the
end of the process.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from gateway.core.place import Place
from gateway.core.zoom_hosts import address, canonical, is_zooms
from gateway.zoom.own import OwnListeners

SHARED: Final = 1.0
"""Seconds for which a lookup is shared. One that takes longer may hang, and the next who asks gets
another, so that a resolver that is back is noticed."""

MOST: Final = 4
"""Lookups of one name that are under way at a time; the last of them is shared, then."""

Addresses = list[tuple[Any, Any, int, str, Any]]
"""As `socket.getaddrinfo` gives them."""


_NOWHERE: Final[Mapping[str, Place]] = MappingProxyType({})


class Resolver(Protocol):
    """Who is asked for Zoom's addresses in the system's place."""

    async def addresses(self, host: str, port: int) -> Addresses:
        """Where to connect to. Raises OSError, and UnicodeError for what is no name."""


class _Lookup(NamedTuple):
    began: float
    found: "asyncio.Future[Addresses]"


class Names:
    """Looks names up. For one event loop."""

    def __init__(
        self,
        places: Mapping[str, Place] = _NOWHERE,
        resolver: Resolver | None = None,
        own: OwnListeners | None = None,
    ) -> None:
        """`places` (by names in their canonical form) stand in for lookups, `resolver` for the
        system's where the name is Zoom's, and no address is given that is one of `own`.
        """
        self._places = places
        self._resolver = resolver
        self._own = own
        self._under_way: dict[tuple[str, int], list[_Lookup]] = {}

    async def addresses(self, host: str, port: int) -> Addresses:
        """Where to connect to. Raises OSError, and UnicodeError for what is no name.

        It is a LoopError if that is the gateway itself.
        """
        found = await self._find(host, port)
        if self._own is not None:
            self._own.refuse(host, found)
        return found

    async def _find(self, host: str, port: int) -> Addresses:
        place = self._places.get(canonical(host) or host) if self._places else None
        if place is not None:
            host, port = place.address, place.port or port
        if address(host) is not None:
            return socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        if self._resolver is not None and is_zooms(host):
            return await self._resolver.addresses(host, port)
        now = asyncio.get_running_loop().time()
        under_way = self._under_way.setdefault((host, port), [])
        if not under_way or (now > under_way[-1].began + SHARED and len(under_way) < MOST):
            under_way.append(_Lookup(now, self._begin(host, port)))
        # Others wait for it, too.
        return await asyncio.shield(under_way[-1].found)

    def _begin(self, host: str, port: int) -> "asyncio.Future[Addresses]":
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Addresses] = loop.create_future()
        found.add_done_callback(lambda _: self._ended(host, port, found))

        def look() -> None:
            outcome: Addresses | Exception
            try:
                outcome = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                outcome = error
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(_settle, found, outcome)

        # Not one of the loop's threads: the end of the process waits for those.
        threading.Thread(target=look, name="look-up", daemon=True).start()
        return found

    def _ended(self, host: str, port: int, found: "asyncio.Future[Addresses]") -> None:
        if not found.cancelled():
            found.exception()  # it is heard, even if all have gone
        left = [one for one in self._under_way[host, port] if one.found is not found]
        self._under_way[host, port] = left
        if not left:
            del self._under_way[host, port]


def _settle(found: "asyncio.Future[Addresses]", outcome: Addresses | Exception) -> None:
    if isinstance(outcome, Exception):
        found.set_exception(outcome)
    else:
        found.set_result(outcome)
