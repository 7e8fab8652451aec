"""How long a call may take as a whole: one timer for all calls, none for each."""

import asyncio
from typing import Any


class Deadlines:
    """Cancels the tasks of calls that take longer than `timeout` seconds; 0: none does."""

    __slots__ = ("_late", "_tasks", "_timeout", "_timer")

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._tasks: dict[asyncio.Task[Any], float] = {}
        """When each began; the oldest comes first."""
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: "asyncio.Task[Any] | None" = None) -> "asyncio.Task[Any] | None":
        """The running task has a call in hand from now on; give what `end` takes.

        Whoever knows the task says which it is: asking for it takes longer than all the rest.
        """
        if task is None:
            task = asyncio.current_task()
        if self._timeout and task is not None:
            loop = task.get_loop()
            self._tasks[task] = loop.time()
            if self._timer is None:
                self._timer = loop.call_later(self._timeout, self._sweep)
        return task

    def end(self, task: "asyncio.Task[Any] | None") -> None:
        """It has no longer."""
        if task is None:
            return
        self._tasks.pop(task, None)
        if task in self._late:
            # It was too late, and nobody asked. The task lives on, and is not to be held as one
            # that is to end.
            self._late.discard(task)
            task.uncancel()

    def came(self, task: "asyncio.Task[Any] | None") -> bool:
        """After a CancelledError: whether this alone was the reason. Then it is taken back."""
        if task is None or task not in self._late:
            return False
        self._late.discard(task)
        return task.uncancel() == 0

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._tasks:
            task, began = next(iter(self._tasks.items()))
            left = began + self._timeout - now
            if left > 0:
                self._timer = loop.call_later(left, self._sweep)
                return
            del self._tasks[task]
            self._late.add(task)
            task.cancel()
