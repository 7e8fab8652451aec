"""What this process is called, and where it is found."""

import os
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway import __version__
from gateway.core.status import Replica
from gateway.web import sockets


class Worker(NamedTuple):
    """One of several processes that are one gateway."""

    number: int
    """From 1; the process that replaces it has the same."""
    metrics: Path
    """The directory where they count together."""


def found_at(listen: Sequence[socket.socket]) -> str:
    """Where the proxy is found, `host:port`: by the host's name if it listens on all addresses.

    `unix:/path` is found on this machine alone.
    """
    if listen[0].family == socket.AF_UNIX:
        return sockets.named(listen)
    host, port = sockets.bound(listen)
    return sockets.written((socket.gethostname() if host in {"0.0.0.0", "::"} else host, port))  # noqa: S104


def replica(now: float, worker: Worker | None) -> Replica:
    pid = os.getpid()
    name = f"{socket.gethostname()}-{pid}-{secrets.token_hex(2)}"
    return Replica(name, __version__, pid, now, worker=worker.number if worker else None)
