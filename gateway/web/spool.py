"""A call's body, kept for the replay while it streams.

In memory first, then in a temporary file; above the disk limit nothing is kept any more, and
the body only streams: so it is, too, when all bodies together take what they may. Files are
written and read in threads, so that a slow disk never holds up the loop.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import IO, Any, Final, TypeVar

from gateway.core.errors import GatewayError
from gateway.core.limits import Limits
from gateway.web.meters import Allowance, Meters

T = TypeVar("T")

_BATCH: Final = 256 * 1024
"""Bytes per write and read of the file: large enough that a thread's hop does not show."""

Source = Callable[[], Awaitable[bytes]]
"""Gives the next bytes of the body, `b""` at its end. Cancelled, it must lose none."""


def refusal(directory: str | None) -> OSError | None:
    """Why no temporary file can be had there (None: the system's); None: one can. It blocks."""
    try:
        with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
            file.write(b"\0")
    except OSError as error:
        return error
    return None


class BodyLostError(GatewayError):
    """What was kept of a body cannot be read again."""

    slug = "body_lost"


@dataclass(frozen=True, slots=True)
class SpoolConfig:
    """Limits of one body in bytes; `directory` None: the system's. `failed` is told once per body.

    `allowance` is what all bodies together may take.
    """

    memory_limit: int
    disk_limit: int
    directory: str | None
    failed: Callable[[OSError], None]
    allowance: Allowance = field(default_factory=lambda: Allowance(Limits(), Meters()))


class Spool:
    """Records what it streams. `close()` it, whatever happens.

    `pulled` counts the bytes that came from the source; `complete` says that it ended.
    """

    def __init__(self, source: Source, config: SpoolConfig, declared: int | None = None) -> None:
        """`declared`: the body's length, if it is known."""
        self.pulled = 0
        self.complete = False
        self._source = source
        self._config = config
        self._keep = declared is None or declared <= config.disk_limit
        self._share = config.allowance.share()
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._filed = 0
        """Bytes in the file; what follows them is in memory."""
        self._job: asyncio.Future[Any] | None = None
        self._lock = asyncio.Lock()

    @property
    def replayable(self) -> bool:
        """Whether a new stream would begin at the body's first byte."""
        return self._keep or self.pulled == 0

    def stream(self) -> AsyncIterator[bytes]:
        """Give the body from its first byte: what is recorded, then what the source brings.

        One stream is active at a time: a new one replaces the former, which may have been
        cancelled in the middle of anything. Raises BodyLostError if not `replayable`.
        """
        if not self.replayable:
            raise BodyLostError("the beginning of the call's body was not kept")
        return BodyStream(self)

    async def next(self, position: int) -> bytes:
        """Give the bytes from `position` on, at least one, or `b""` at the end.

        Without a recording only the bytes that come next can be had.
        """
        # The lock: a former stream may still sit in the source when a new one begins.
        async with self._lock:
            if self._keep and position < self._recorded:
                return await self._replay(position)
            if self.complete:
                return b""
            return await self._pull()

    def close(self) -> None:
        """Free memory and file. Idempotent; does not wait for the disk."""
        self._keep = False
        self._share.end()
        self._memory = bytearray()
        # A descriptor that is closed under a thread's write may be another's by then: while
        # a job runs, its callback closes the file.
        if self._file is not None and (self._job is None or self._job.done()):
            file, self._file = self._file, None
            _close_in_thread(file)

    @property
    def _recorded(self) -> int:
        return self._filed + len(self._memory)

    async def _pull(self) -> bytes:
        chunk = await self._source()
        # No await from here until the bytes are recorded: cancellation loses none.
        self.complete = not chunk
        self.pulled += len(chunk)
        if not self._keep:
            return chunk
        if self.pulled > self._config.disk_limit:
            self.close()
            return chunk
        self._memory += chunk
        if not self._share.remember(len(chunk)) or (
            self.pulled > self._config.memory_limit
            and (self._file is None or len(self._memory) >= _BATCH)
        ):
            await self._flush()
        return chunk

    async def _replay(self, position: int) -> bytes:
        await self._quiet()
        offset = position - self._filed
        if self._keep and offset >= 0:
            return bytes(self._memory[offset : offset + _BATCH])
        file, length = self._file, min(_BATCH, -offset)
        if file is None:
            raise BodyLostError("the kept part of the call's body was lost")
        job = self._start(lambda: os.pread(file.fileno(), length, position))
        job.add_done_callback(lambda _: self._close_if_dropped(file))
        try:
            chunk = await asyncio.shield(job)
        except OSError as error:
            raise BodyLostError("the kept part of the call's body cannot be read") from error
        if not chunk:
            raise BodyLostError("the kept part of the call's body is shorter than it was")
        return chunk

    async def _flush(self) -> None:
        await self._quiet()
        if not self._keep:
            return
        if not self._may_file(len(self._memory)):
            self.close()
            return
        file, memory, size, offset = self._file, self._memory, len(self._memory), self._filed
        # Copied in the thread: those that wait for one would have their bodies in memory twice.
        job = self._start(lambda: _store(file, self._config.directory, memory[:size], offset))
        # A callback, since whoever waits here may be cancelled, but the disk is not.
        job.add_done_callback(lambda job: self._stored(job.result(), size))
        await asyncio.shield(job)

    def _stored(self, outcome: IO[bytes] | OSError, size: int) -> None:
        if isinstance(outcome, OSError):
            dropped = not self._keep
            self.close()
            if not dropped:
                self._config.failed(outcome)
            return
        self._file = outcome
        self._filed += size
        del self._memory[:size]
        if self._keep:
            self._share.forget(size)
        self._close_if_dropped(outcome)

    def _may_file(self, size: int) -> bool:
        """Whether so much more may be in the file; no body needs one where none may be kept."""
        config = self._config
        return config.disk_limit > config.memory_limit and self._share.store(size)

    def _close_if_dropped(self, file: IO[bytes]) -> None:
        if not self._keep:
            self._file = None
            _close_in_thread(file)

    def _start(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        job = asyncio.get_running_loop().run_in_executor(None, work)
        self._job = job
        return job

    async def _quiet(self) -> None:
        """Wait for the job that a cancelled stream left behind."""
        if self._job is not None and not self._job.done():
            await asyncio.wait([self._job])


class BodyStream:
    """A body from its first byte."""

    __slots__ = ("_position", "_spool")

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._position = 0

    @property
    def can_begin_anew(self) -> bool:
        return self._spool.replayable

    def anew(self) -> AsyncIterator[bytes]:
        """The same body, in place of this stream. Raises BodyLostError."""
        return self._spool.stream()

    def __aiter__(self) -> "BodyStream":
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._spool.next(self._position)
        if not chunk:
            raise StopAsyncIteration
        self._position += len(chunk)
        return chunk


def _store(
    file: IO[bytes] | None, directory: str | None, data: bytearray, offset: int
) -> IO[bytes] | OSError:
    """Write `data` at `offset`, into a new file if there is none. Runs in a thread.

    The file has no name (O_TMPFILE, or unlinked at once): nothing is left if we die.
    """
    made = None
    try:
        if file is None:
            # SIM115: it outlives this function; the spool closes it.
            file = made = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115
        view = memoryview(data)
        while view:
            written = os.pwrite(file.fileno(), view, offset)
            view, offset = view[written:], offset + written
    except OSError as error:
        if made is not None:
            made.close()
        return error
    return file


def _close_in_thread(file: IO[bytes]) -> None:
    """Close it elsewhere: giving back a large file's blocks takes a while."""
    try:
        asyncio.get_running_loop().run_in_executor(None, file.close)
    except RuntimeError:  # the loop or its threads have ended
        file.close()
