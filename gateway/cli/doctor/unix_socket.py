"""Whether the gateway could make its Unix socket, and who could put another in its place."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.settings import ListenSettings

ABOUT: Final = "listen.socket"

_NOBODY: Final = b"GET /@check./v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
"""A path that no gateway passes on: an account's name has no dot."""

_SECONDS: Final = 2.0
"""For an answer of what listens there."""


def look_at(listen: ListenSettings) -> Iterator[Finding]:
    path = listen.socket
    assert path is not None  # noqa: S101  only then it is asked for
    yield _place(path)
    if listen.mode & stat.S_IWOTH:
        yield _exposed(
            f"Every user of this machine may call by {path}: listen.socket_mode is "
            f"{listen.socket_mode}.",
            "Set listen.socket_mode to 0660, and let the callers be of the file's group.",
            path,
        )
    yield from _directories(path)


def _place(path: Path) -> Finding:
    details = {"address": f"unix:{path}"}
    if problem := _problem(path):
        return Finding(
            Code.LISTENER_IMPOSSIBLE,
            Level.PROBLEM,
            ABOUT,
            f"listen cannot make a socket at {path}: {problem}.",
            "Name a path in a directory that exists and that the gateway's user may write to.",
            details,
        )
    heard = _ask(path)
    if heard is None:
        text = f"listen can make its socket at {path}."
        return Finding(Code.LISTENER_FREE, Level.OK, ABOUT, text, details=details)
    if b"x-zoom-gateway-error:" in heard.lower():
        return Finding(
            Code.LISTENER_IS_GATEWAY,
            Level.NOTICE,
            ABOUT,
            f"A gateway answers at {path} already.",
            "See how it is with: zoom-gateway status. A second one needs another path.",
            details,
        )
    return Finding(
        Code.LISTENER_TAKEN,
        Level.PROBLEM,
        ABOUT,
        f"Another program, which is no gateway, listens on {path}.",
        "Stop it (ss -lxp shows which it is), or change listen.socket.",
        details,
    )


def _problem(path: Path) -> str:
    directory = path.parent
    try:
        if not stat.S_ISDIR(directory.stat().st_mode):
            return f"{directory} is no directory"
        if not os.access(directory, os.W_OK | os.X_OK):
            return f"this user may not write to {directory}"
        found = path.lstat()
    except FileNotFoundError:
        return "" if directory.is_dir() else f"the directory {directory} does not exist"
    except OSError as problem:
        return problem.strerror or type(problem).__name__
    return "" if stat.S_ISSOCK(found.st_mode) else "there is another file, which is no socket"


def _ask(path: Path) -> bytes | None:
    """What is answered there, in part; None: nobody listens. Nothing of this reaches Zoom."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_SECONDS)
        try:
            asking.connect(os.fsencode(path))
        except OSError:
            return None
        try:
            asking.sendall(_NOBODY)
            return asking.recv(4096)
        except OSError:
            return b""


def _directories(path: Path) -> Iterator[Finding]:
    try:
        directories = path.parent.resolve()
        open_to_all = [one for one in (directories, *directories.parents) if _replaceable(one)]
    except OSError:
        return  # said already
    for directory in open_to_all:
        yield _exposed(
            f"Every user of this machine can write to the directory {directory}, and so put a "
            f"socket of its own in the place of {path}: callers would send it their calls.",
            f"chmod o-w {directory}, or take a directory of the gateway's own, such as "
            "/run/zoom-gateway.",
            path,
        )


def _replaceable(directory: Path) -> bool:
    mode = directory.stat().st_mode
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _exposed(sentence: str, advice: str, path: Path) -> Finding:
    return Finding(
        Code.SOCKET_EXPOSED, Level.WARNING, ABOUT, sentence, advice, {"address": f"unix:{path}"}
    )
