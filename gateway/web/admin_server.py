"""The admin listener."""

import socket
from collections.abc import Sequence

from aiohttp import web

from gateway.web.admin import AdminSources, build_admin


class AdminServer:
    """Serves `/metrics`, health and status. It goes on while the proxy drains."""

    def __init__(self, sources: AdminSources) -> None:
        self._sources = sources
        self._runner: web.AppRunner | None = None

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Take requests from `sockets`, which listen already."""
        self._runner = web.AppRunner(build_admin(self._sources), access_log=None)
        await self._runner.setup()
        for one in sockets:
            await web.SockSite(self._runner, one).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
