"""The simulator's time: a monotonic clock that can be moved forward."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class SimClock:
    """Seconds, from an injected monotonic source, and the wall time that belongs to them."""

    def __init__(
        self, source: Callable[[], float] = time.monotonic, wall: float | None = None
    ) -> None:
        """`wall` is the Unix time of the source's present moment; None takes the system's."""
        self._source = source
        self._offset = 0.0
        self._wall_base = (time.time() if wall is None else wall) - source()

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._source() + self._offset

    def wall(self) -> float:
        """Return Unix seconds that move with `now`."""
        return self._wall_base + self.now()

    def advance(self, seconds: float) -> None:
        """Move the time forward; tokens age and rate windows pass at once."""
        self._offset += seconds


def iso(unix_seconds: float) -> str:
    """Return the time as Zoom writes it: `2020-05-31T00:00:00Z`."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
