"""The ways to many hosts: each has connections of its own, made as it is asked for."""

import asyncio
from collections.abc import Callable

from gateway.core.errors import ConfigurationError, UpstreamConnectError
from gateway.ports import UpstreamRequest
from gateway.zoom.upstream.answer import HttpAnswer
from gateway.zoom.upstream.transport import HttpUpstream

MOST = 32
"""Hosts whose connections are kept; recordings and uploads come from some ten."""


class HostUpstreams:
    """Upstreams by host; of those with nothing in hand, the one used last stays longest.

    For one event loop.
    """

    def __init__(self, make: Callable[[str], HttpUpstream], most: int = MOST) -> None:
        """`make` gives the way to a host. It may raise ConfigurationError."""
        self._make = make
        self._most = most
        self._kept: dict[str, _Kept] = {}
        """By host, the one that was used last is the last."""
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        """How many are kept: with `most` in hand at once, more."""
        return len(self._kept)

    def at(self, host: str) -> "AtHost":
        """The way to a host, named in the canonical form. Nothing is made yet."""
        return AtHost(self, host)

    async def close(self) -> None:
        """Close all, as `Upstream.close` does."""
        self._closed = True
        kept, self._kept = list(self._kept.values()), {}
        await asyncio.gather(*(one.upstream.close() for one in kept), *self._closing)

    async def send(self, host: str, request: UpstreamRequest) -> HttpAnswer:
        """See `Upstream.send`."""
        kept = self._get(host)
        kept.sending += 1
        try:
            return await kept.upstream.send(request)
        finally:
            kept.sending -= 1

    def _get(self, host: str) -> "_Kept":
        if self._closed:
            raise UpstreamConnectError("The gateway shuts down")
        kept = self._kept.pop(host, None)
        if kept is None:
            try:
                kept = _Kept(self._make(host))
            except ConfigurationError as error:
                raise UpstreamConnectError(f"There is no way to {host}: {error}") from None
        self._kept[host] = kept
        if len(self._kept) > self._most:
            self._let_go(but=kept)
        return kept

    def _let_go(self, but: "_Kept") -> None:
        for host, kept in self._kept.items():
            if kept is not but and kept.idle:
                del self._kept[host]
                task = asyncio.create_task(kept.upstream.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
                return


class _Kept:
    """A host's upstream, and how many calls are about to have a connection of it."""

    __slots__ = ("sending", "upstream")

    def __init__(self, upstream: HttpUpstream) -> None:
        self.upstream = upstream
        self.sending = 0

    @property
    def idle(self) -> bool:
        return not self.sending and not self.upstream.in_use


class AtHost:
    """One host of many. Implements `Upstream`."""

    __slots__ = ("_host", "_hosts")

    def __init__(self, hosts: HostUpstreams, host: str) -> None:
        self._hosts = hosts
        self._host = host

    async def send(self, request: UpstreamRequest) -> HttpAnswer:
        """See `Upstream.send`."""
        return await self._hosts.send(self._host, request)

    async def close(self) -> None:
        """Its connections are closed with all others'."""
