"""The HTTP server: makes connections and hands their calls to one handler."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from gateway.core.limits import Limits
from gateway.outbox import Outbox
from gateway.web.connection import Connection
from gateway.web.crowd import Crowd, Group
from gateway.web.handler import CallHandler
from gateway.web.meters import Meters
from gateway.web.tls import Context


class HttpServer(Server):
    """Makes connections; a protocol factory for `loop.create_server`, too.

    `crowd.limits` are those of new connections.
    """

    def __init__(
        self, handler: CallHandler, limits: Limits | None = None, meters: Meters | None = None
    ) -> None:
        # aiohttp's own request loop, which would call this, is not used: see `Connection.start`.
        super().__init__(cast(Any, handler.handle), handler_cancellation=True)
        self._calls = handler
        self.crowd = Crowd(limits or Limits(), meters or Meters())
        self.tls: Callable[[], Context] | None = None
        """What connections are greeted with; None: they speak no TLS."""
        self._outbox = Outbox()
        self._open: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __call__(self) -> Connection:
        return self.connection()

    def connection(self, group: Group = None) -> Connection:
        """Make one, which counts from now on."""
        connection = Connection(self, self._calls, self.crowd, self._outbox, group)
        self.crowd.enter(connection)
        return connection

    # What the door asks.

    def make_room(self, group: Group) -> str:
        return self.crowd.make_room(group)

    def turned_away(self, limit: str) -> None:
        self.crowd.meters.turned_away(limit)

    def gone(self, connection: Connection) -> None:
        self.crowd.leave(connection)
        # Its socket is closed next: a transport that lives on would hold on to a number that is
        # another connection's by then.
        connection.cut(reset=False)

    def starved(self) -> None:
        self.crowd.meters.starved()
        self.crowd.end_idle()

    def unhandled(self, error: BaseException) -> None:
        self._calls.unhandled(error)

    @property
    def patience(self) -> float:
        return self.crowd.limits.header_timeout

    @property
    def callers(self) -> list[Connection]:
        """The connections that are open."""
        return list(self._open)

    async def empty(self) -> None:
        """Return when no connection is open."""
        await self._empty.wait()

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if isinstance(handler, Connection):
            self._open.add(handler)
            self._empty.clear()
            if self.tls is not None:
                self._ask_again(handler, transport.get_extra_info("sslcontext"), self.tls())

    def _ask_again(self, handler: Connection, greeted: Context, now: Context) -> None:
        """Its handshake took a while, in which it may have become one that is not let in."""
        if greeted.admits != now.admits:
            handler.see_out()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open.discard(cast(Connection, handler))
        if not self._open:
            self._empty.set()
