"""The Unix socket that callers connect to: made, and taken away, without touching what is others'.

Nobody but those that `mode` lets in can open it at any moment: it is created with that mode.
"""

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.web.limits import BACKLOG

_PATIENCE: Final = 2.0
"""Seconds for another gateway that is making a socket in the same directory."""

_AGAIN: Final = 0.05


class UnixSocket:
    """One that listens. Its file is removed by who made it, and only while it is this one."""

    def __init__(self, path: Path, mode: int) -> None:
        """Raises OSError, with `unix:PATH` in `filename` and words for people in `strerror`."""
        self.path = path
        try:
            with _alone(path.parent):
                _make_room(path)
                self.listening = _listening(path, mode)
                self._file = _identity(path)
                self._pin = _pinned(path)
        except OSError as problem:
            raise OSError(problem.errno, _words(problem, path), written(path)) from problem

    def remove(self) -> None:
        """Take the file away, unless it is another by now. Nothing is raised."""
        with suppress(OSError), _alone(self.path.parent):
            if _identity(self.path) == self._file:
                self.path.unlink()
        if self._pin is not None:
            os.close(self._pin)
            self._pin = None


def written(path: Path) -> str:
    """`unix:/path`, as logs and pages have it."""
    return f"unix:{path}"


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _pinned(path: Path) -> int | None:
    """A descriptor that keeps the file's inode from becoming another's; None: only Linux can."""
    look_only = getattr(os, "O_PATH", 0)
    return os.open(path, look_only | os.O_NOFOLLOW) if look_only else None


def _listening(path: Path, mode: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mode of the file is what the umask leaves of 0777 (unix(7)).
    former = os.umask(0o777 & ~mode)
    try:
        sock.bind(os.fsencode(path))
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(former)
    try:
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        path.unlink()
        raise
    return sock


def _make_room(path: Path) -> None:
    """Take away a socket that nobody listens on any more. Raises OSError if there is another file.

    A link is never followed: it is another file.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "there is another file, which is no socket")
    if _is_listened_on(path):
        raise OSError(errno.EADDRINUSE, "another gateway, or another program, listens there")
    path.unlink()


def _is_listened_on(path: Path) -> bool:
    """Raises OSError if that cannot be told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(os.fsencode(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:  # so many wait that there is no room for one more
            return True
        except OSError as problem:
            if problem.errno == errno.EPROTOTYPE:  # one for datagrams
                return True
            raise
    return True


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """While no other gateway makes, or takes away, a socket in this directory."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Whoever may read the directory can hold its lock; that must keep nobody from starting.
            if time.monotonic() > end:
                return
            time.sleep(_AGAIN)
        except OSError:
            return  # a file system without locks: two that start at once are the rarer trouble
        else:
            return


def _words(problem: OSError, path: Path) -> str:
    directory = path.parent
    match problem.errno:
        case errno.ENOENT:
            return f"the directory {directory} does not exist: make it, or mount a volume there"
        case errno.ENOTDIR:
            return f"{directory} is no directory"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return (
                f"this user (uid {os.geteuid()}) may not make a file in {directory}, or not look at"
                " the one that is there"
            )
        case _:
            return problem.strerror or type(problem).__name__
