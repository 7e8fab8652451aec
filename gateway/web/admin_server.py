"""The admin listener."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import Any, Final, cast

from gateway.web.admin import HEADERS, AdminSite, AdminSources, look
from gateway.web.admin_runner import AdminConnection, AdminHttp
from gateway.web.crowd import Group
from gateway.web.door import Door
from gateway.web.live import Live

_log: Final = logging.getLogger(__name__)

LAST: Final = 2.0
"""Seconds for requests in hand when it closes."""


MOST: Final = 64
"""Open connections: pages, probes and scrapers. Who holds more of them shall neither keep probes
out nor take the descriptors that calls need."""


class _House:
    """Implements `House`. Nobody is turned away: for one too many, another one is ended."""

    patience = LAST

    def __init__(self, server: AdminHttp) -> None:
        self._server = server

    def make_room(self, group: Group) -> str:
        del group
        there = self._open()
        while len(there) >= MOST:
            # The oldest that does nothing, be it in the middle of a header; else the oldest.
            ended = next((one for one in there if one.idle), there[0])
            there.remove(ended)
            ended.cut()
        return ""

    def turned_away(self, limit: str) -> None: ...

    def connection(self, group: Group) -> asyncio.Protocol:
        del group
        return self._server()

    def gone(self, connection: Any) -> None: ...

    def starved(self) -> None:
        for one in self._open():
            if one.idle:
                one.cut()
                return

    def _open(self) -> list[AdminConnection]:
        """In the order in which they came."""
        found = cast("list[AdminConnection]", self._server.connections)
        return [one for one in found if one.open]

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
