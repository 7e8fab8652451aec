"""A directory of a parent and its workers alone: what they share, and what is gone with them."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PREFIX: Final = "zoom-gateway-"
_LOCK: Final = "in-use"
_ENOUGH: Final = b"\0" * 65536
"""A place that does not take as much is full."""


class NoPlaceError(Exception):
    """No directory could be made; the text says where it was tried, and why not there."""


class PrivateDirectory:
    """Mode 0700, preferably in memory: it holds tokens and the configuration.

    It is locked as long as the process, or one that inherited `lock` (a file descriptor), lives.
    One that was left behind, because all were killed, is removed when the next is made.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises NoPlaceError."""
        problems = []
        for place in _places(environ):
            try:
                _sweep(place)
                self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
            except OSError as problem:
                problems.append(f"{place}: {problem.strerror}")
                continue
            try:
                self.lock = _take(self.path)
            except OSError as problem:
                problems.append(f"{place}: {problem.strerror}")
                shutil.rmtree(self.path, ignore_errors=True)
                continue
            return
        raise NoPlaceError("; ".join(problems))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def _places(environ: Mapping[str, str]) -> list[Path]:
    runtime = environ.get("XDG_RUNTIME_DIR")
    shared = Path("/dev/shm")  # noqa: S108  the directory in it is made by mkdtemp
    found = [Path(runtime)] if runtime else []
    if shared.is_dir():
        found.append(shared)
    return [*found, _temporary(environ)]


def _temporary(environ: Mapping[str, str]) -> Path:
    """The system's; where none can be written to, the first that would be, to be told of it."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return Path(environ.get("TMPDIR") or "/tmp")  # noqa: S108  as above


def _take(directory: Path) -> int:
    """Lock it before it gets its name, so that nobody takes it for one that was left behind."""
    fresh = directory / f"{_LOCK}.new"
    lock = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(lock, _ENOUGH)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fresh.rename(directory / _LOCK)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _sweep(place: Path) -> None:
    for left in place.glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            if left.parent.lstat().st_uid != os.getuid():
                continue
            lock = os.open(left, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # gone meanwhile
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
