"""The news of what other replicas wrote to Redis: one connection, and one task, for all."""

import asyncio
import contextlib
from random import uniform
from typing import Any, Final

from redis.exceptions import NoPermissionError

from gateway.stores.redis_connections import Connections
from gateway.stores.redis_problems import FAULTS

CHANNEL: Final = "zoom-gateway:changed"
"""A message there is the name of the account whose document was written."""

POLL: Final = 5.0
"""Seconds after which one looks without any news: a message may be lost."""

DEAF_POLL: Final = 1.0
"""The same while nothing can be heard."""

CHECK: Final = 2.0
"""Seconds of silence after which the server is asked whether it is still there, and between
questions to the Sentinels whether it is still the primary."""

PAUSES: Final = (0.1, 1.0)
"""Seconds before the first and before every later attempt to listen again; doubled between."""

FORBIDDEN_PAUSE: Final = 30.0
"""Seconds before the next attempt of a user who may not listen."""


class Listener:
    """Begins to listen when somebody first wants news, and goes on until it is closed."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._waited: dict[str, asyncio.Event] = {}
        self._task: asyncio.Task[None] | None = None
        self._hears = False
        self._pause = PAUSES[0]
        self._closed = False

    def news(self, account: str) -> asyncio.Event:
        """Set at the next news of the account. Take it before looking, so that none is missed."""
        if not self._closed and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._listen())
        return self._waited.setdefault(account, asyncio.Event())

    async def wait(self, news: asyncio.Event) -> None:
        """Return when it is time to look again."""
        longest = (POLL if self._hears else DEAF_POLL) * uniform(1.0, 1.2)  # noqa: S311
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                await news.wait()

    async def close(self) -> None:
        """End the task, and wake all who wait."""
        self._closed = True
        # The client may swallow a cancellation that comes together with an answer.
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=0.1)
        self._wake_all()

    async def _listen(self) -> None:
        while not self._closed:
            wire = self._connections.apart()
            try:
                await self._follow(wire)
            except NoPermissionError:
                self._pause = FORBIDDEN_PAUSE
            except FAULTS:
                pass  # whoever looks meets the same, and tells
            finally:
                self._turn(hears=False)
                with contextlib.suppress(*FAULTS):
                    await wire.disconnect(nowait=not self._closed)
            pause, longest = self._pause, PAUSES[1]
            self._pause = min(2 * pause, longest)
            await asyncio.sleep(pause * uniform(0.8, 1.0))  # noqa: S311

    async def _follow(self, wire: Any) -> None:
        await wire.connect()
        await wire.send_command("SUBSCRIBE", CHANNEL)
        await wire.read_response()
        self._pause = PAUSES[0]
        # What was written while nobody listened made no news.
        self._turn(hears=True)
        clock = asyncio.get_running_loop().time
        check_at = clock() + CHECK
        while not self._closed:
            message = await wire.read_response(timeout=CHECK)
            if message is None:
                await wire.send_command("PING")
                message = await wire.read_response()
            self._take(message)
            if clock() >= check_at:
                if await self._connections.lead_astray(wire):
                    return
                check_at = clock() + CHECK

    def _turn(self, *, hears: bool) -> None:
        if self._hears is not hears:
            self._hears = hears
            self._wake_all()

    def _take(self, message: Any) -> None:
        match message:
            case [b"message", _, bytes(account)]:
                name = account.decode(errors="replace")
                self._waited.pop(name, asyncio.Event()).set()

    def _wake_all(self) -> None:
        waited, self._waited = self._waited, {}
        for news in waited.values():
            news.set()
