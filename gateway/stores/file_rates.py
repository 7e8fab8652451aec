"""The schedule of calls in a file that the processes of one host share.

One file an account, which is its own lock, as it is written in place: who reads half of it begins
a new schedule, and after a second or so nothing is missing in that. So nothing is waited for until
it is on the disk.
"""

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from gateway.core.errors import StoreUnavailableError
from gateway.core.rate_book import Ask, Book, decode
from gateway.ports import Reserved

PATIENCE: Final = 0.5
"""Seconds for all of it: calls wait for what it gives."""

POLL: Final = 0.0005
"""Seconds between tries for the lock, which is held for about as long."""

_MOST: Final = 1 << 22
"""Bytes of a schedule: a longer file is none."""


class FileRates:
    """Implements `RateStore`. The store's time is the host's clock."""

    def __init__(self, directory: Path, wall: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._wall = wall
        self._thread = ThreadPoolExecutor(1, "file rates")

    async def reserve(self, account: str, replica: str, asks: Mapping[str, Ask]) -> Reserved:
        try:
            running = asyncio.wrap_future(
                self._thread.submit(self._exchange, account, replica, asks)
            )
        except RuntimeError:
            raise self._unusable("it is closed") from None
        try:
            done, _ = await asyncio.wait([running], timeout=2 * PATIENCE)
            if not done:
                raise self._unusable("no answer in time")
            if running.cancelled():
                raise self._unusable("it is closed")
            return running.result()
        except OSError as problem:
            raise self._unusable(problem.strerror or type(problem).__name__) from problem
        finally:
            running.cancel()  # it need not begin any more

    async def close(self) -> None:
        """Who asks from now on meets StoreUnavailableError."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _exchange(self, account: str, replica: str, asks: Mapping[str, Ask]) -> Reserved:
        handle = self._open(self._directory / f"_rates.{account}.json")
        try:
            _lock(handle)
            book = _read(handle)
            now = self._wall()
            shares = book.exchange(replica, asks, now)
            content = json.dumps(book.encode(), separators=(",", ":")).encode()
            os.pwrite(handle, content, 0)
            os.ftruncate(handle, len(content))
            return Reserved(now, shares)
        finally:
            os.close(handle)

    def _open(self, path: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)

    def _unusable(self, why: str) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"the schedule of calls in {self._directory} cannot be used: {why}: "
            "check the directory's owner, mode and free space (store.url)"
        )


def _lock(handle: int) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError(errno.ETIMEDOUT, "another process keeps its lock") from None
        time.sleep(POLL)


def _read(handle: int) -> Book:
    content = os.pread(handle, _MOST, 0)
    raw: Any = None
    # Where half of it was written, or somebody else's: begin anew.
    with contextlib.suppress(ValueError, RecursionError):
        raw = json.loads(content)
    return decode(raw)
