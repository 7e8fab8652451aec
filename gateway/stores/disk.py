"""Small files, read and replaced as a whole, in as few system calls as that takes.

Each call gives other threads their turn, and a thread that wants its own back while the event loop
is busy waits for it: what goes through `io` makes twice as many.
"""

import os
from pathlib import Path
from typing import Final

PIECE: Final = 1 << 16
"""Bytes that are read at once: more than nearly every file has."""


def read_whole(path: Path) -> bytes:
    """Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = [os.read(handle, PIECE)]
        while len(pieces[-1]) == PIECE:
            pieces.append(os.read(handle, PIECE))
    finally:
        os.close(handle)
    return b"".join(pieces)


def replace_whole(path: Path, content: bytes) -> None:
    """Readable by the owner alone; on the disk, or not at all. Not for two at a time.

    Raises OSError.
    """
    # One name for all: what a crash left behind is overwritten.
    fresh = path.with_name(f".{path.name}.new")
    handle = _created(fresh)
    try:
        try:
            while content:
                content = content[os.write(handle, content) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _created(path: Path) -> int:
    """A file that nobody else has opened yet."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError:
        path.unlink(missing_ok=True)
        return os.open(path, flags, 0o600)
