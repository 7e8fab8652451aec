"""The proxy's listener: started, drained, finished."""

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any, Final

from gateway.web.limits import BACKLOG
from gateway.web.proxy import Proxy
from gateway.web.server import HttpServer

_FLUSH: Final = 1.0
"""Seconds for the last bytes of the last answers to leave, after all calls have ended."""


class ProxyServer:
    """Listens, and hands calls to a proxy."""

    def __init__(self, proxy: Proxy, *, tls: ssl.SSLContext | None = None) -> None:
        self._proxy = proxy
        self._tls = tls
        self._http: HttpServer | None = None
        self._listener: asyncio.Server | None = None

    @property
    def inflight(self) -> int:
        """Calls in hand."""
        return self._proxy.inflight

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> tuple[str, int]:
        """Listen; give the address that was bound (port 0 takes a free one). Raises OSError."""
        self._http = HttpServer(self._proxy)
        self._listener = await asyncio.get_running_loop().create_server(
            self._http,
            host,
            port,
            ssl=self._tls,
            backlog=BACKLOG,
            reuse_port=reuse_port or None,
        )
        bound = self._listener.sockets[0].getsockname()
        return str(bound[0]), int(bound[1])

    def begin_drain(self) -> None:
        """From now on every answer closes its connection; new ones are still accepted.

        So callers move on without a refused connection while others learn that we go.
        """
        self._proxy.draining = True

    async def finish(self, timeout: float) -> int:  # noqa: ASYNC109  calls get it as a whole
        """Accept nothing more, end idle connections, wait for the calls in hand, then cut.

        `timeout` in seconds. Gives the number of calls that were cut.
        """
        self.begin_drain()
        if self._http is None or self._listener is None:
            return 0
        self._listener.close()
        for connection in self._http.callers:
            if connection.idle:
                connection.force_close()
        self._proxy.aborting = not await _within(timeout, self._proxy.quiet())
        cut = self._proxy.inflight
        await self._end_all(self._http)
        await self._proxy.close()
        await self._listener.wait_closed()
        return cut

    async def _end_all(self, http: HttpServer) -> None:
        for connection in http.callers:
            if self._proxy.aborting:
                connection.cut(reset=False)
            else:
                connection.force_close()
        await _within(_FLUSH, http.empty())
        for connection in http.callers:
            connection.cut(reset=False)
        # Cancelled calls still close their upstream and write their reports.
        await _within(_FLUSH, self._proxy.quiet())


async def _within(seconds: float, waiting: Coroutine[Any, Any, None]) -> bool:
    try:
        await asyncio.wait_for(waiting, seconds)
    except TimeoutError:
        return False
    return True
