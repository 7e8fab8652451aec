"""The replicas that are there, as a store keeps them. Pure; times are the store's, in seconds."""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Any, Final

from gateway.core.known_fields import nests_deeper
from gateway.core.presence import PRESENT, Presence

Seen = Mapping[str, tuple[Presence, float]]
"""By name: a replica, and when its last heartbeat came."""

MOST: Final = 1000
"""So many are kept: whoever writes nonsense into a store must not fill a replica's memory."""

_FIELDS: Final = frozenset({"version", "address", "since", "generations"})


def beat(seen: Seen, presence: Presence, now: float) -> tuple[Seen, list[Presence]]:
    """What is kept after a heartbeat, and what is shown."""
    others = {
        name: (one, at)
        for name, (one, at) in seen.items()
        # A moment in the future was written before the clock was set back.
        if now - PRESENT < at <= now and name != presence.name
    }
    newest = sorted(others.items(), key=lambda item: item[1][1])[-(MOST - 1) :]
    kept = {**dict(newest), presence.name: (presence, now)}
    return kept, present(kept, now)


def leave(seen: Seen, name: str) -> Seen:
    return {other: entry for other, entry in seen.items() if other != name}


def present(seen: Seen, now: float) -> list[Presence]:
    """By name, each with its age."""
    return [replace(one, age=max(0.0, now - at)) for _, (one, at) in sorted(seen.items())]


def encode(presence: Presence) -> dict[str, Any]:
    """JSON-ready. The name is not in it: a store keeps the rest under the name."""
    return {
        **presence.extra,
        "version": presence.version,
        "address": presence.address,
        "since": presence.since,
        "generations": dict(presence.generations),
    }


def decode(name: str, raw: Any) -> Presence | None:
    """What `encode` gave, or None: whoever is there writes itself again soon."""
    try:
        since = float(raw["since"])
        generations = {str(key): int(number) for key, number in raw["generations"].items()}
        version, address = str(raw["version"]), str(raw["address"])
        extra = {key: value for key, value in raw.items() if key not in _FIELDS}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
    if not isfinite(since):
        return None
    if nests_deeper(extra):
        extra = {}  # it could be read, and then not be written
    return Presence(name, version, address, since, generations, extra=extra)
