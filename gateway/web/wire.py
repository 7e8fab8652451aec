"""What requests and answers need of the connection beneath them."""

import asyncio
from typing import Protocol

from aiohttp.streams import StreamReader

from gateway.core.caller import Caller
from gateway.core.limits import Limits


class CallerGoneError(ConnectionError):
    """The caller's connection is gone: nobody is there to answer to."""


class Wire(Protocol):
    """A caller's connection."""

    receiving: StreamReader | None
    """The body of the call in hand."""
    limits: Limits
    """Those that were in force when it was made."""

    @property
    def peer(self) -> Caller:
        """Who calls."""

    @property
    def caller(self) -> str:
        """The caller's address, for logs; empty for a Unix socket."""

    @property
    def caller_name(self) -> str:
        """A name of the caller's certificate, for logs; empty if it showed none."""

    @property
    def secure(self) -> bool:
        """Whether it is TLS."""

    @property
    def own_address(self) -> str:
        """Our own end, `host:port`; `localhost` for a Unix socket."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    @property
    def writing_paused(self) -> bool:
        """Whether the caller takes less than it is sent."""

    def send(self, data: bytes) -> None:
        """Write without waiting. Raises CallerGoneError."""

    def post(self, data: bytes) -> None:
        """The same, at the end of this turn of the event loop."""

    async def drained(self) -> None:
        """Wait while `writing_paused`. Raises CallerGoneError, also if it takes too long."""

    def cut(self, *, reset: bool) -> None:
        """End the connection now, dropping what is not sent; `reset`: with a TCP reset."""

    @property
    def ending(self) -> bool:
        """Whether the call in hand is the connection's last, whatever comes behind it."""

    def last_call(self) -> None:
        """Carry no further call; what still comes is read for a moment, and dropped."""
