"""Whether a limit refuses most of what comes: then all is not well, whatever the tokens are like.

That a limit refuses something now and then is what it is for.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.core.diagnosis import Diagnosis, Severity
from gateway.core.limits import Limits

WINDOW: Final = 20.0
"""Seconds that are looked back on."""

STEP: Final = 2.0
"""Seconds between two counts that are remembered."""


class _Counts(NamedTuple):
    at: float
    served: int
    refused: Mapping[str, int]


class Refusals:
    """Since when, on the clock of `look`, a limit refuses more than is served, by its key."""

    def __init__(self) -> None:
        self.since: dict[str, float] = {}
        self._counts: deque[_Counts] = deque()

    def look(self, now: float, served: int, refused: Mapping[str, int]) -> None:
        """Judge by what was counted up to now; call it about once a second.

        Calls that go on count for neither: with all of them stuck, all that come are refused.
        """
        counts = self._counts
        if not counts or now - counts[-1].at >= STEP:
            counts.append(_Counts(now, served, dict(refused)))
        while len(counts) > 1 and now - counts[1].at >= WINDOW:
            counts.popleft()
        before = counts[0]
        for limit, count in refused.items():
            if count - before.refused[limit] > served - before.served:
                self.since.setdefault(limit, now)
            else:
                self.since.pop(limit, None)


def diagnose_refusals(since: Mapping[str, float], limits: Limits) -> list[Diagnosis]:
    """What is wrong; `since` by the limit's key, in seconds since the epoch."""
    return [
        Diagnosis(
            f"{limit}_refused",
            Severity.ERROR,
            _SENTENCES[limit].format(getattr(limits, limit)),
            "See whether calls pile up because Zoom or callers are slow, or come from one caller "
            f"alone; else add replicas, or raise limits.{limit} if memory and processor have room.",
            began,
        )
        for limit, began in since.items()
    ]


_SENTENCES: Final = {
    "calls": "Most calls are refused: as many are in hand as limits.calls allows ({:,}).",
    "connections": "Most connections are refused: as many are open as limits.connections allows "
    "({:,}), and none is idle.",
}
