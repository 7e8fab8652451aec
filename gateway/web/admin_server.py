"""The admin listener."""

from aiohttp import web

from gateway.web.admin import AdminSources, build_admin


class AdminServer:
    """Serves `/metrics`, health and status. It goes on while the proxy drains."""

    def __init__(self, sources: AdminSources) -> None:
        self._sources = sources
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; give the address that was bound (port 0 takes a free one). Raises OSError."""
        self._runner = web.AppRunner(build_admin(self._sources), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound = self._runner.addresses[0]
        return str(bound[0]), int(bound[1])

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
