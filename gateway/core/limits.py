"""What one process takes on, at most. `docs/limits.md` gives reasons and precedents."""

from dataclasses import dataclass
from typing import Final

from gateway.core.headers import MAX_HEAD

OWN_DESCRIPTORS: Final = 64
"""Of a process: log, store, listeners, the admin port's connections, what Python has open."""

KEPT_UPSTREAM: Final = 256
"""Idle connections to Zoom that may be kept for the next calls."""

PER_CALL: Final = 2
"""Descriptors of a call beside its caller's connection: one to Zoom, one for a body on disk."""

MOST_CONNECTIONS: Final = 10_000
"""What `auto` gives at most: connections need memory, too, however many descriptors there are."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. 0 is no limit where a number of connections, the calls of
    an account, or the time of a whole call, may have none.
    """

    calls: int = 1000
    calls_per_account: int = 0
    connections: int = MOST_CONNECTIONS
    connections_per_caller: int = 0
    header_bytes: int = MAX_HEAD
    header_fields: int = 128
    header_timeout: float = 60.0
    body_timeout: float = 120.0
    send_timeout: float = 120.0
    keepalive_timeout: float = 620.0
    call_timeout: float = 3600.0
    kept_memory: int = 256 * 1024 * 1024
    kept_disk: int = 2 * 1024 * 1024 * 1024


def calls_per_account(calls: int, accounts: int) -> int:
    """How many of all `calls` one of several accounts may have: the others must get through while
    it is stuck. 0: there is one alone, which may have all.
    """
    return max(1, calls // 2) if accounts > 1 else 0


def connections_within(descriptors: int, calls: int) -> int:
    """How many connections leave enough of a process's `descriptors` for `calls` at once.

    Where there are too few for both, each gets half.
    """
    room = max(2, descriptors - OWN_DESCRIPTORS)
    return min(MOST_CONNECTIONS, room - min(calls * PER_CALL + KEPT_UPSTREAM, room // 2))
