"""Runs the admin listener's application; what nobody could read, nobody is shown again."""

from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.web.admin import HEADERS


class AdminRunner(web.AppRunner):
    """As its base class, with answers of ours to what the parser refuses."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made, **self._kwargs)


class _Server(web.Server):
    def __init__(self, made: web.Server, **options: Any) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory, **options)

    def __call__(self) -> RequestHandler:
        return AdminConnection(self, loop=self._loop, **self._kwargs)


class AdminConnection(RequestHandler):
    __slots__ = ()

    @property
    def idle(self) -> bool:
        """Whether no request is answered; one may be on its way."""
        return self._current_request is None

    @property
    def open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def cut(self) -> None:
        """End it now, whatever the other end was to take."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Log and answer as the base class does, without its text.

        It quotes the line that could not be read, which may be a header with a secret; in asyncio's
        debug mode it would be a traceback. It also names Python's and the library's versions.
        """
        answer = super().handle_error(request, status, exc, message)
        if isinstance(answer, web.Response):
            phrase = HTTPStatus(status).phrase
            answer.text = f"{status} {phrase}\n"
            answer.content_type = "text/plain"
            answer.headers.update(HEADERS)
        return answer
