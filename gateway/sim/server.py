"""The HTTP server around the state."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from gateway.sim import api, control_http, elsewhere, oauth
from gateway.sim.answers import DROPPED, zoom_error
from gateway.sim.config import SimConfig
from gateway.sim.control import Control
from gateway.sim.exchange import BodyAbortedError, Exchange
from gateway.sim.state import SimState
from gateway.sim.wire import deliver

LONGEST_LINE = 65_536
"""Bytes of a request target or header, so that the gateway's own limits are met first."""
SHUTDOWN_GRACE = 0.05
"""Seconds that calls in flight get at the end."""


class Simulator:
    """A simulated Zoom on a local port: `async with Simulator(SimConfig()) as sim: sim.url`.

    `clock` gives monotonic seconds for token lives and rate windows. `state` is the plain
    state behind it, `control` the verbs of `/_sim/…` as methods. Raises OSError when the
    port is taken.
    """

    def __init__(
        self, config: SimConfig | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.config = config or SimConfig()
        self.state = SimState(self.config, clock)
        self.control = Control(self.state)
        self._server: asyncio.Server | None = None
        self._web: _Server | None = None
        self._port = self.config.port

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """The base URL of API, token endpoint and control, without a slash at the end."""
        host = "127.0.0.1" if self.config.host in {"", "0.0.0.0", "::"} else self.config.host  # noqa: S104
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._web = _Server(self.state, self._handle)
        self._server = await loop.create_server(
            self._web, self.config.host, self.config.port, backlog=1024
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None and self._web is not None:
            self._server.close()
            await self._web.shutdown(SHUTDOWN_GRACE)
            await self._server.wait_closed()
            self._server = self._web = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(request, self.state.clock.now())
        if exchange.path.startswith("/_sim"):
            return await control_http.handle(self.control, exchange)
        answer = DROPPED
        try:
            if exchange.path.startswith("/oauth/"):
                answer = await oauth.handle(self.state, exchange)
            elif (host := elsewhere.named(exchange)) is not None:
                answer = await elsewhere.handle(self.state, exchange, host)
            else:
                answer = await api.handle(self.state, exchange)
        except BodyAbortedError:
            self.state.ledger.counts["aborted_bodies"] += 1
        finally:
            self.state.ledger.requests.append(exchange.seen(answer.status or None))
        return await deliver(self.state, exchange, answer)


class _Server(web.Server):
    """Makes connections that count malformed requests as broken rules."""

    def __init__(self, state: SimState, handler: Any) -> None:
        super().__init__(handler)
        self.state = state

    def __call__(self) -> RequestHandler:
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            # Bodies are counted and hashed as they were sent.
            auto_decompress=False,
            access_log=None,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )


class _Connection(RequestHandler):
    """One connection."""

    __slots__ = ("_state",)

    def __init__(self, server: _Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._state = server.state

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refuses (two Hosts, both lengths, …) as a broken rule."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        # Only the parser's own words: others may quote what was sent.
        known = exc.message if exc.message.startswith(("Duplicate", "Missing")) else ""
        reason = f"malformed request ({type(exc).__name__}) {known}".strip()
        self._state.ledger.violation(reason, self._state.clock.now())
        answer = zoom_error(400, 300, reason)
        response = web.Response(
            status=400, body=answer.body, headers={"Content-Type": str(answer.content_type)}
        )
        response.force_close()
        return response
