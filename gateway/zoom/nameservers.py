"""Zoom's addresses from name servers that are named, round the system's resolver and hosts file.

Only imported where there are some: the library takes some MiB.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from gateway.core.place import Place
from gateway.zoom.names import Addresses

REMEMBERED: Final = 256
"""Answers that are kept, each for as long as it says itself."""

PATIENCE: Final = 1.0
"""Seconds for one name server, before the next is asked."""

SECOND_FAMILY: Final = 0.05
"""Seconds for the addresses of the other family, once there are some (RFC 8305, section 3)."""

_PORT: Final = 53
_KINDS: Final = (
    (dns.rdatatype.AAAA, socket.AF_INET6),
    (dns.rdatatype.A, socket.AF_INET),
)


class NameServers:
    """Asks name servers, the first that answers. For one event loop.

    `seconds` is the time for one lookup, all tries together.
    """

    def __init__(self, places: Sequence[Place], seconds: float) -> None:
        self._resolver = resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(one.address, one.port or _PORT) for one in places
        ]
        resolver.cache = dns.resolver.LRUCache(REMEMBERED)
        resolver.timeout = PATIENCE
        resolver.lifetime = seconds
        self._under_way: dict[str, asyncio.Task[list[tuple[socket.AddressFamily, str]]]] = {}

    async def addresses(self, host: str, port: int) -> Addresses:
        """Where to connect to. Raises OSError."""
        asking = self._under_way.get(host)
        if asking is None:
            asking = self._under_way[host] = asyncio.create_task(self._ask(host))
            asking.add_done_callback(lambda task: self._ended(host, task))
        # Others wait for it, too.
        found = await asyncio.shield(asking)
        return [
            (
                family,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (one, port, 0, 0) if family == socket.AF_INET6 else (one, port),
            )
            for family, one in found
        ]

    def _ended(
        self, host: str, task: "asyncio.Task[list[tuple[socket.AddressFamily, str]]]"
    ) -> None:
        del self._under_way[host]
        if not task.cancelled():
            task.exception()  # it is heard, even if all have gone

    async def _ask(self, host: str) -> list[tuple[socket.AddressFamily, str]]:
        tasks = [asyncio.create_task(self._of_kind(host, *kind)) for kind in _KINDS]
        try:
            await _enough(tasks)
            done = [task for task in tasks if task.done()]
            found = [one for task in done if not task.exception() for one in task.result()]
            if not found:
                raise _why([problem for task in done if (problem := task.exception())])
            return found
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _of_kind(
        self, host: str, kind: dns.rdatatype.RdataType, family: socket.AddressFamily
    ) -> list[tuple[socket.AddressFamily, str]]:
        answer = await self._resolver.resolve(host, kind, raise_on_no_answer=False, search=False)
        return [(family, str(one.address)) for one in answer.rrset or ()]


async def _enough(tasks: "list[asyncio.Task[list[tuple[socket.AddressFamily, str]]]]") -> None:
    """Wait for both families, but not for long once one has addresses."""
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    if pending:
        found = any(not task.exception() and task.result() for task in done)
        await asyncio.wait(pending, timeout=SECOND_FAMILY if found else None)


def _why(problems: list[BaseException]) -> OSError:
    """In the system resolver's terms; nothing of the library's goes on."""
    if any(not isinstance(problem, dns.resolver.NXDOMAIN) for problem in problems):
        for problem in problems:
            if not isinstance(problem, dns.exception.DNSException | OSError):
                raise problem
        return socket.gaierror(
            socket.EAI_AGAIN, "no name server of upstream.nameservers gives an answer"
        )
    return socket.gaierror(socket.EAI_NONAME, "the name servers of upstream.nameservers know none")
