"""The certificate that a listener shows."""

from dataclasses import dataclass, field
from typing import Final

_MOST: Final = 14 * 86400.0
_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Certificate:
    """Its names, and how long it holds. Times in seconds since the epoch."""

    names: tuple[str, ...]
    """DNS names and addresses, as they stand in it; those that clients look for."""
    begins: float
    ends: float
    der: bytes = field(default=b"", repr=False, compare=False)
    """All of it, as it is shown; empty where only its words matter."""

    @property
    def due(self) -> float:
        """When it ought to have been replaced: 14 days before its end, or the last tenth of a life
        that is shorter than 140 days (cert-manager renews in the last third, certbot too).
        """
        return self.ends - min(_MOST, _SHARE * (self.ends - self.begins))

    def age(self, wall: float) -> str:
        """What is to be said of it now: `early`, `good`, `due` or `expired`."""
        if wall < self.begins:
            return "early"
        if wall >= self.ends:
            return "expired"
        return "due" if wall >= self.due else "good"
