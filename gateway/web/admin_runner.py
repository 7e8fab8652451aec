"""The admin listener's HTTP; what nobody could read, nobody is shown again."""

from http import HTTPStatus

from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response, StreamResponse
from aiohttp.web_server import Server

from gateway.web.admin import HEADERS, Handler


class AdminHttp(Server):
    """Makes connections, whose requests `handler` answers."""

    def __init__(self, handler: Handler) -> None:
        # Who closes a page is no reader any more, and need not be written to for that.
        super().__init__(handler, handler_cancellation=True, access_log=None)

    def __call__(self) -> RequestHandler:
        return AdminConnection(self, loop=self._loop, **self._kwargs)

    async def close(self, seconds: float) -> None:
        """End what is idle, and wait so long for the requests in hand."""
        self.pre_shutdown()
        await self.shutdown(seconds)


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
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        """Log and answer as the base class does, without its text.

        It quotes the line that could not be read, which may be a header with a secret; in asyncio's
        debug mode it would be a traceback. It also names Python's and the library's versions.
        """
        answer = super().handle_error(request, status, exc, message)
        if isinstance(answer, Response):
            phrase = HTTPStatus(status).phrase
            answer.text = f"{status} {phrase}\n"
            answer.content_type = "text/plain"
            answer.headers.update(HEADERS)
        return answer
