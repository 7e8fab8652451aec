"""The real clock."""

import time
from collections.abc import Callable
from functools import partial


class SystemClock:
    """Implements `Clock`.

    CLOCK_BOOTTIME, where there is one, runs on while a laptop sleeps: a token ages meanwhile.
    """

    def __init__(self) -> None:
        # Asked several times for each call: a partial is quicker than a function.
        self.now: Callable[[], float] = (
            partial(time.clock_gettime, time.CLOCK_BOOTTIME)
            if hasattr(time, "CLOCK_BOOTTIME")
            else time.monotonic
        )
        self.wall = time.time
