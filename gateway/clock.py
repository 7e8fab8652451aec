"""The real clock."""

import time


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SystemClock:
    """Implements `Clock`.

    CLOCK_BOOTTIME, where there is one, runs on while a laptop sleeps: a token ages meanwhile.
    """

    def __init__(self) -> None:
        self.now = _boottime if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
        self.wall = time.time
