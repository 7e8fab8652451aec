"""What the HTTP server and its connections need of whoever answers calls."""

from collections.abc import Awaitable
from typing import Protocol

from gateway.core.errors import CallRefusedError
from gateway.web.answer import Answer
from gateway.web.request import Request


class CallHandler(Protocol):
    """Who answers calls.

    What `handle` and `refuse` give is waited for at once. It raises CallerGoneError, and is
    cancelled; nothing else comes of it.
    """

    def handle(self, request: Request) -> Awaitable[Answer]:
        """Answer a call."""

    def refuse(self, request: Request, error: CallRefusedError) -> Awaitable[Answer]:
        """Answer what is no well-formed call; `request` holds nothing of it."""

    def unhandled(self, error: BaseException) -> None:
        """Hear of an error that nobody expected."""
