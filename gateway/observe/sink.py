"""Where log lines go: a stream that is never waited for."""

import asyncio
import os
import select
from collections import deque
from threading import RLock
from typing import IO, Any, Final

PIECE: Final = 4096
"""Bytes written at once. POSIX's PIPE_BUF on Linux: a pipe that polls writable takes that many
without blocking."""

BACKLOG: Final = 1_048_576
"""Bytes kept while nobody reads; what comes on top is lost, and counted."""

GATHER: Final = 0.05
"""Seconds that a line without urgency may wait for others: to write each by itself costs more than
all else that is done for it. nginx has `flush=` for that, Envoy gathers for ten seconds."""


class Sink:
    """Writes whole lines to a stream. Never raises and, on a file descriptor, never waits.

    While the reader of a pipe sleeps, lines are kept and go out with the next one that finds it
    awake. Where there is no descriptor, lines are written to the stream as text.
    """

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream
        self._fd = _descriptor(stream)
        # A handler of signals, or a destructor, may log in the middle of a line.
        self._lock = RLock()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._due = False
        """A timer will write what waits."""
        self.lost = 0
        """Lines that were lost since the start."""
        if self._fd is not None:
            self._poll = select.poll()
            self._poll.register(self._fd, select.POLLOUT)

    def msg(self, line: bytes) -> None:
        """Write a line, its newline missing, and what waits before it."""
        with self._lock:
            if self._fd is None:
                self._write_text(line)
            else:
                self._keep(line + b"\n")
                self._drain(self._fd)

    def gather(self, line: bytes) -> None:
        """Write a line within `GATHER` seconds; at once where no event loop runs."""
        if self._fd is None or not (self._due or self._arm()):
            self.msg(line)
            return
        with self._lock:
            self._keep(line + b"\n")
            if self._size >= PIECE:
                self._drain(self._fd)

    # What structlog calls a bound logger's methods.
    debug = info = gather
    warning = error = critical = msg

    def flush(self) -> None:
        """Write what is kept, as far as the reader takes it."""
        with self._lock:
            if self._fd is not None:
                self._drain(self._fd)

    def _arm(self) -> bool:
        """Set the timer; tell whether there is one."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        self._due = True
        loop.call_later(GATHER, self._flush_gathered)
        return True

    def _flush_gathered(self) -> None:
        self._due = False
        self.flush()

    def _keep(self, line: bytes) -> None:
        if self._size > BACKLOG:
            self.lost += 1
            return
        self._size += len(line)
        if len(line) <= PIECE:
            self._waiting.append(line)
        else:
            self._waiting.extend(line[at : at + PIECE] for at in range(0, len(line), PIECE))

    def _drain(self, fd: int) -> None:
        while self._waiting and self._poll.poll(0):
            piece = self._next_piece()
            try:
                written = os.write(fd, piece)
            except BlockingIOError:
                written = 0
            except OSError:  # a closed pipe, a full disk: there is nowhere to tell it
                self.lost += piece.count(b"\n")
                continue
            if written < len(piece):
                self._waiting.appendleft(piece[written:])
                self._size += len(piece) - written
                return

    def _next_piece(self) -> bytes:
        """As many lines as one write takes: other processes may write to the stream, too."""
        waiting = self._waiting
        lines = [waiting.popleft()]
        size = len(lines[0])
        while waiting and size + len(waiting[0]) <= PIECE:
            lines.append(waiting.popleft())
            size += len(lines[-1])
        self._size -= size
        return b"".join(lines)

    def _write_text(self, line: bytes) -> None:
        try:
            self._stream.write(line.decode() + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self.lost += 1


def _descriptor(stream: IO[Any]) -> int | None:
    try:
        return stream.fileno()
    except (OSError, AttributeError, ValueError):
        return None
