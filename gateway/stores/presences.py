"""The replicas that are there, as a store keeps them. Pure; times are the store's, in seconds."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from gateway.ports import PRESENT, Presence

Seen = Mapping[str, tuple[Presence, float]]
"""By name: a replica, and when its last heartbeat came."""

MOST: Final = 1000
"""So many are kept: whoever writes nonsense into a store must not fill a replica's memory."""


def beat(seen: Seen, presence: Presence, now: float) -> tuple[Seen, list[Presence]]:
    fresh = {
        name: (one, at)
        for name, (one, at) in seen.items()
        # A moment in the future was written before the clock was set back.
        if now - PRESENT < at <= now and name != presence.name
    }
    kept = dict(sorted(fresh.items(), key=lambda item: item[1][1])[-(MOST - 1) :])
    kept[presence.name] = (presence, now)
    return kept, present(kept, now)


def leave(seen: Seen, name: str) -> Seen:
    return {other: entry for other, entry in seen.items() if other != name}


def present(seen: Seen, now: float) -> list[Presence]:
    """By name, each with its age."""
    return [replace(one, age=max(0.0, now - at)) for _, (one, at) in sorted(seen.items())]


def encode(presence: Presence) -> dict[str, Any]:
    """JSON-ready."""
    return {**asdict(presence), "generations": dict(presence.generations), "age": 0.0}


def decode(raw: Any) -> Presence:
    """Raises ValueError, TypeError or KeyError if it is not what `encode` gives."""
    generations = dict(raw.get("generations", {}))
    return Presence(
        name=str(raw["name"]),
        version=str(raw["version"]),
        address=str(raw["address"]),
        since=float(raw["since"]),
        generations={str(account): int(number) for account, number in generations.items()},
    )
