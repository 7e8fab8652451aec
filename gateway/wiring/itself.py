"""What a gateway calls itself, and where others find it."""

import os
import secrets
import socket
from collections.abc import Sequence

from gateway import __version__
from gateway.core.status import Replica
from gateway.web import sockets


def found_at(listen: Sequence[socket.socket]) -> str:
    """Where the proxy is found, `host:port`: by the host's name if it listens on all addresses.

    `unix:/path` is found on this machine alone.
    """
    if listen[0].family == socket.AF_UNIX:
        return sockets.named(listen)
    host, port = sockets.bound(listen)
    return sockets.written((socket.gethostname() if host in {"0.0.0.0", "::"} else host, port))  # noqa: S104


def replica(now: float, worker: int | None) -> Replica:
    """This process, which began at `now`; `worker` is its number among several."""
    pid = os.getpid()
    name = f"{socket.gethostname()}-{pid}-{secrets.token_hex(2)}"
    return Replica(name, __version__, pid, now, worker=worker)
