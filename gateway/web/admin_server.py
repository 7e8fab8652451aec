"""The admin listener."""

import socket
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gateway.web.admin import HEADERS, AdminSources, build_admin, look
from gateway.web.admin_runner import AdminRunner
from gateway.web.live import Live

LAST: Final = 2.0
"""Seconds for requests in hand when it closes."""


class AdminServer:
    """Serves `/metrics`, health and status. It goes on while the proxy drains."""

    def __init__(self, sources: AdminSources) -> None:
        self._sources = sources
        self._runner: AdminRunner | None = None
        self._live = Live(lambda: look(sources), HEADERS)

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Take requests from `sockets`, which listen already."""
        self._runner = AdminRunner(
            build_admin(self._sources, self._live),
            access_log=None,
            # Who closes a page is no reader any more, and need not be written to for that.
            handler_cancellation=True,
            shutdown_timeout=LAST,
        )
        await self._runner.setup()
        for one in sockets:
            await web.SockSite(self._runner, one).start()

    def poke(self) -> None:
        """Something happened to a token: open pages are told soon."""
        self._live.poke()

    async def close(self) -> None:
        await self._live.close()
        if self._runner is not None:
            await self._runner.cleanup()
