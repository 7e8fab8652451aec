"""Which replicas there are, as each registers in the store for the others to see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PRESENT: Final = 30.0
"""Seconds after its last heartbeat in which a replica is shown."""


@dataclass(frozen=True, slots=True)
class Presence:
    """One replica."""

    name: str
    version: str
    address: str
    """`host:port` of its proxy."""
    since: float
    """When it began: seconds since the epoch, by its own clock."""
    generations: Mapping[str, int] = field(default_factory=dict)
    """By account: the token that new calls get; 0 for none."""
    age: float = 0.0
    """Seconds since its last heartbeat, by the store's clock. The store fills it in."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What a later version tells of itself; kept for others of that version."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Who was there when this replica looked last."""

    replicas: tuple[Presence, ...] = ()
    age: float | None = None
    """Seconds since that look; None if there was none that worked."""
