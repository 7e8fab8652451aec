"""The HTTP server: makes connections and hands their calls to one handler."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.core.errors import CallRefusedError
from gateway.web.answer import Answer
from gateway.web.connection import Connection
from gateway.web.request import Request


class CallHandler(Protocol):
    """Who answers calls. Neither method raises but for cancellation."""

    def handle(self, request: Request) -> Awaitable[Answer]:
        """Answer a call."""

    def refuse(self, request: Request, error: CallRefusedError) -> Awaitable[Answer]:
        """Answer what is no well-formed call; `request` holds nothing of it."""

    def unhandled(self, error: BaseException) -> None:
        """Hear of an error that nobody expected."""


class HttpServer(web.Server):
    """A protocol factory for `loop.create_server`."""

    def __init__(self, handler: CallHandler) -> None:
        # The casts: aiohttp's types name its own request and response, of which its request
        # loop uses what `Request` and `Answer` have.
        super().__init__(
            cast(Any, handler.handle),
            request_factory=cast(Any, Request),
            handler_cancellation=True,
        )
        self.refuse = handler.refuse
        self.unhandled = handler.unhandled
        self._open: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __call__(self) -> Connection:
        return Connection(self, asyncio.get_running_loop())

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

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open.discard(cast(Connection, handler))
        if not self._open:
            self._empty.set()
