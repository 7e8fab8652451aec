"""Refusals of calls that cannot be sent again, reported behind their callers' backs."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.web.limits import BACKGROUND


class Background:
    """Tells the token manager for the good of other calls, while this one goes on."""

    def __init__(self, unhandled: Callable[[BaseException], None]) -> None:
        """`unhandled` is told of errors that nobody expected."""
        self._unhandled = unhandled
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, reporting: Coroutine[Any, Any, object]) -> None:
        if len(self._tasks) >= BACKGROUND:
            reporting.close()
            return
        task = asyncio.create_task(_discard(reporting))
        self._tasks.add(task)
        task.add_done_callback(self._told)

    def _told(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._unhandled(error)

    async def close(self) -> None:
        """End what goes on."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _discard(waiting: Coroutine[Any, Any, object]) -> None:
    await waiting
