"""When a replica may mint alone because the store is down: not all at once, and not often."""

from typing import Final

SPREAD: Final = 4.0
"""Seconds within which the replicas of a fleet that lost its store mint, at random: who is late may
find the store back, and calls can wait that long."""

SPACING: Final = 30.0
"""Seconds between two mints of a replica alone: in a slot that several replicas mint in, each mint
may kill the others' token."""


class Outage:
    """One account's, in one replica. Moments on the replica's clock."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._number = 0
        self.not_before = 0.0
        """When the next mint alone may happen."""

    def pause(self, number: int, now: float, chance: float) -> float:
        """Seconds until this replica may mint alone in this outage, which is the `number`th.

        `chance` is in [0, 1).
        """
        if number != self._number:
            self._number = number
            self.not_before = max(now + chance * SPREAD, self._last + SPACING)
        return self.not_before - now

    def minted(self, now: float) -> None:
        self._last = now
        self.not_before = now + SPACING
