"""What goes on behind the callers' backs."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.web.limits import BACKGROUND


class Background:
    """Tasks that nobody waits for. `unhandled` is told what they raise."""

    __slots__ = ("_tasks", "_unhandled")

    def __init__(self, unhandled: Callable[[BaseException], None]) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._unhandled = unhandled

    def add(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin it, unless there is too much of it already."""
        if len(self._tasks) >= BACKGROUND:
            work.close()
            return
        task = asyncio.create_task(_discard(work))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def close(self) -> None:
        """End all of it."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._unhandled(error)


async def _discard(work: Coroutine[Any, Any, object]) -> None:
    await work
