"""Many equal events, few lines."""

import asyncio
import contextlib
from collections.abc import Callable, Hashable

Later = Callable[[float, Callable[[], None]], object]
"""Call something after so many seconds."""


def call_later(seconds: float, then: Callable[[], None]) -> object:
    """The running loop's."""
    return asyncio.get_running_loop().call_later(seconds, then)


class Throttle:
    """Tells of the first event of a kind at once, of the others once a `period` (seconds).

    Kinds must be few. Outside a running loop nothing is held back.
    """

    def __init__(self, period: float, later: Later = call_later) -> None:
        self._period = period
        self._later = later
        self._counts: dict[Hashable, int] = {}

    def hit(self, kind: Hashable, tell: Callable[[int], None]) -> None:
        """It happened; `tell` is called with how often since it was told last."""
        if kind in self._counts:
            self._counts[kind] += 1
            return
        self._open(kind, tell)
        tell(1)

    def _open(self, kind: Hashable, tell: Callable[[int], None]) -> None:
        with contextlib.suppress(RuntimeError):  # no loop runs
            self._later(self._period, lambda: self._over(kind, tell))
            self._counts[kind] = 0

    def _over(self, kind: Hashable, tell: Callable[[int], None]) -> None:
        count = self._counts.pop(kind)
        if count:
            self._open(kind, tell)
            tell(count)
