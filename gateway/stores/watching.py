"""Looks at many files, which other processes may write, together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from gateway.core.errors import StoreError

POLL: Final = 0.25
"""Seconds between looks."""

LOOK_EVERY: Final = 20
"""Looks of which one reads the file though it seems to be the same: not every file system tells two
quick writes apart."""

MOST_READ: Final = 10
"""Files of which that is done at one look. With more than 200 it takes longer for each."""

Look = Callable[[Sequence[str]], Awaitable[Mapping[str, object]]]
"""Gives, by name, what of a file is another after a write. Raises StoreError."""


class Watch:
    """One timer for all who wait, which runs only while somebody does."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._waiting: dict[str, asyncio.Event] = {}
        """By name, in the order in which they are read anyway."""
        self._known: dict[str, object] = {}
        self._credit = 0.0
        """Of files that are to be read anyway."""
        self._task: asyncio.Task[None] | None = None

    def news(self, name: str) -> asyncio.Event:
        """Set when the file should be read. Take it before reading, so that nothing is missed."""
        event = self._waiting.get(name)
        if event is None:
            event = self._waiting[name] = asyncio.Event()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="looks at token files")
        return event

    async def _run(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(POLL)
                names = [*self._waiting]
                try:
                    found = await self._look(names)
                except StoreError:
                    # Whoever reads meets it, and tells.
                    self._wake(names)
                    continue
                self._wake([name for name in names if self._known.get(name) != found[name]])
                self._known.update(found)
                self._wake(self._due(len(names)))
        finally:
            self._wake([*self._waiting])

    def _due(self, count: int) -> list[str]:
        self._credit += min(MOST_READ, count / LOOK_EVERY)
        whole = int(self._credit)
        self._credit -= whole
        return [*self._waiting][:whole]

    def _wake(self, names: Sequence[str]) -> None:
        for name in names:
            if (event := self._waiting.pop(name, None)) is not None:
                event.set()

    async def close(self) -> None:
        """Wake all, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
