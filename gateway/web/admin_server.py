"""The admin listener."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.web.admin import HEADERS, AdminSite, AdminSources, look
from gateway.web.admin_runner import AdminHttp
from gateway.web.crowd import Group
from gateway.web.door import Door
from gateway.web.live import Live

_log: Final = logging.getLogger(__name__)

LAST: Final = 2.0
"""Seconds for requests in hand when it closes."""


class _House:
    """Implements `House`: probes and scrapers are few, and none is turned away."""

    patience = LAST

    def __init__(self, make: Callable[[], asyncio.Protocol]) -> None:
        self._make = make

    def make_room(self, group: Group) -> str:
        del group
        return ""

    def connection(self, group: Group) -> asyncio.Protocol:
        del group
        return self._make()

    def gone(self, connection: Any) -> None: ...

    def starved(self) -> None: ...

    def unhandled(self, error: BaseException) -> None:
        _log.error("A connection failed", exc_info=error)


class AdminServer:
    """Serves `/metrics`, health and status. It goes on while the proxy drains."""

    def __init__(self, sources: AdminSources) -> None:
        self._doors: list[Door] = []
        self._live = Live(lambda: look(sources), HEADERS)
        self._admin = AdminSite(sources, self._live)
        self._http: AdminHttp | None = None

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Take requests from `sockets`, which listen already."""
        self._http = AdminHttp(self._admin.answer)
        house = _House(self._http)
        for one in sockets:
            door = Door(one, house)
            self._doors.append(door)
            door.open()

    def poke(self) -> None:
        """Something happened to a token: open pages are told soon."""
        self._live.poke()

    async def close(self) -> None:
        for door in self._doors:
            await door.close()
        await self._live.close()
        if self._http is not None:
            await self._http.close(LAST)
        await self._admin.close()
