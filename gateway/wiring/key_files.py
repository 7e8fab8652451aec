"""The keys of callers, read again when their files change."""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.core.errors import ConfigurationError
from gateway.core.keys import Keys
from gateway.settings import Settings
from gateway.wiring import access

INTERVAL: Final = 10.0
"""Seconds between two readings of the files."""


class KeyFiles:
    """Gives the keys in force.

    Files are read in a thread, so that no call waits for a disk. While one cannot be read, or
    holds no key, all keys stay as they were; `unreadable` is told when that begins. Raises
    ConfigurationError if they cannot be read at first.
    """

    def __init__(
        self,
        settings: Settings,
        unreadable: Callable[[str], None],
        defect: Callable[[BaseException], None],
        interval: float = INTERVAL,
    ) -> None:
        self._settings = settings
        self._unreadable = unreadable
        self._defect = defect
        self._interval = interval
        self._keys = access.keys(settings)
        self._problem = ""
        self._task: asyncio.Task[None] | None = None

    def current(self) -> Keys:
        return self._keys

    def start(self) -> None:
        """Begin to look at the files, if there are any. Call it inside the running loop."""
        if any(one.key_file is not None for one in self._settings.access.keys.values()):
            self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                self._keys = await asyncio.to_thread(access.keys, self._settings)
                self._problem = ""
            except ConfigurationError as error:
                self._tell(error.problems[0])
            except Exception as error:  # noqa: BLE001  the next reading may do better
                self._defect(error)

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._unreadable(problem)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
