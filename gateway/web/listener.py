"""The proxy's listener: started, given another proxy, drained, finished."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.errors import CallRefusedError
from gateway.web import sockets as listening
from gateway.web.answer import Answer
from gateway.web.door import Door
from gateway.web.proxy import Proxy
from gateway.web.request import Request
from gateway.web.server import HttpServer
from gateway.web.tls import Context, Failed, Greeter

_FLUSH: Final = 1.0
"""Seconds for the last bytes of the last answers to leave, after all calls have ended."""

_TURNS: Final = 8
"""Of the loop, in which it reads what the kernel holds: more than it takes."""


_GREETING: Final = 2.0
"""Seconds for handshakes under way when it accepts nothing more: those who began them call next."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How callers are spoken to over TLS."""

    context: Callable[[], Context]
    """The one for a new connection."""
    failed: Callable[[Failed], None]
    """Hears of each connection that came to nothing. It must not raise or wait."""


class ProxyServer:
    """Listens, and hands calls to a proxy. Implements `CallHandler`."""

    def __init__(self, proxy: Proxy, *, tls: Tls | None = None) -> None:
        self._proxy = proxy
        self._proxies = [proxy]
        """All that have calls in hand, or may get some."""
        self._tls = tls
        self._http: HttpServer | None = None
        self._doors: list[Door] = []

    @property
    def inflight(self) -> int:
        """Calls in hand."""
        return sum(proxy.inflight for proxy in self._proxies)

    # Calls. Each goes to the proxy of the moment when it begins: connections wait at once for what
    # these give, so that nothing happens in between.

    def handle(self, request: Request) -> Awaitable[Answer]:
        return self._proxy.handle(request)

    def refuse(self, request: Request, error: CallRefusedError) -> Awaitable[Answer]:
        return self._proxy.refuse(request, error)

    def unhandled(self, error: BaseException) -> None:
        self._proxy.unhandled(error)

    # Life.

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; give the address that was bound (port 0 takes a free one). Raises OSError."""
        sockets = listening.listen(host, port)
        await self.serve(sockets)
        return listening.bound(sockets)

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Take calls from `sockets`, which listen already."""
        self._http = HttpServer(self, self._proxy.limits, self._proxy.meters)
        greeter = None
        if self._tls is not None:
            greeter = Greeter(self._tls.context, self._tls.failed)
            self._http.tls = self._tls.context
        for one in sockets:
            door = Door(one, self._http, greeter)
            self._doors.append(door)
            door.open()

    def use(self, proxy: Proxy) -> None:
        """Hand new calls to `proxy` from now on; those in hand stay where they are."""
        proxy.draining = self._proxy.draining
        self._proxy = proxy
        self._proxies.append(proxy)
        if self._http is not None:
            self._http.crowd.limits = proxy.limits

    def see_out(self) -> None:
        """End the connections that were let in when others were: after their calls in hand."""
        if self._http is not None:
            for connection in self._http.callers:
                connection.see_out()

    async def retire(self, proxy: Proxy) -> None:
        """Return when a proxy that is not used any more has no call in hand."""
        await proxy.quiet()
        await proxy.close()
        self._proxies.remove(proxy)

    def begin_drain(self) -> None:
        """From now on every answer closes its connection; new ones are still accepted.

        So callers move on without a refused connection while others learn that we go.
        """
        for proxy in self._proxies:
            proxy.draining = True

    async def finish(self, timeout: float) -> int:  # noqa: ASYNC109  calls get it as a whole
        """Accept nothing more, end idle connections, wait for the calls in hand, then cut.

        `timeout` in seconds. Gives the number of calls that were cut.
        """
        self.begin_drain()
        if self._http is None:
            return 0
        # What waits in the kernel was sent in good faith: closing first would reset it.
        for door in self._doors:
            door.take_waiting()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for door in self._doors:
            door.shut()
        for door in self._doors:
            await _within(min(timeout, _GREETING), door.settled())
            await door.close()
        for connection in self._http.callers:
            if connection.idle:
                connection.force_close()
        aborting = not await _within(timeout, self._quiet())
        for proxy in self._proxies:
            proxy.aborting = aborting
        cut = self.inflight
        await self._end_all(self._http, aborting=aborting)
        for proxy in tuple(self._proxies):
            await proxy.close()
        return cut

    async def _end_all(self, http: HttpServer, *, aborting: bool) -> None:
        for connection in http.callers:
            if aborting:
                connection.cut(reset=False)
            else:
                connection.force_close()
        await _within(_FLUSH, http.empty())
        for connection in http.callers:
            connection.cut(reset=False)
        # Cancelled calls still close their upstream and write their reports.
        await _within(_FLUSH, self._quiet())

    async def _quiet(self) -> None:
        for proxy in tuple(self._proxies):
            await proxy.quiet()


async def _within(seconds: float, waiting: Coroutine[Any, Any, None]) -> bool:
    try:
        await asyncio.wait_for(waiting, seconds)
    except TimeoutError:
        return False
    return True
