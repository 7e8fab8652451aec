"""The fields of a stored document of format 1, and a look for others.

Every gateway writes the document as a whole, so a field that it does not know would be lost with
its next write. Later versions have `ext` for what older ones may carry along unread.
"""

import re
from types import MappingProxyType
from typing import Any, Final

FIELDS: Final = MappingProxyType(
    {
        "": frozenset(
            {
                *("format", "epoch", "generation", "rotate_at", "due", "slots", "trials"),
                *("suspects", "asked", "fresh", "holdoff", "budget", "minting", "lost"),
                *("apart", "incident", "ext"),
            }
        ),
        "slots": frozenset(
            {"app", "index", "identity", "phase", "token", "barred", "failures", "retry_at"}
        ),
        "slots.token": frozenset(
            {
                *("value", "generation", "issued_at", "expires_at", "cause", "minter", "scope"),
                *("api_url", "accepted_at", "previous_secret"),
            }
        ),
        "due": frozenset({"cause", "at", "endpoint"}),
        "holdoff": frozenset({"generation", "since", "until"}),
        "budget": frozenset({"level", "at"}),
        "minting": frozenset({"app", "index", "since", "fence", "holder", "cause"}),
        "lost": frozenset({"app", "index", "at"}),
        "apart": frozenset({"slots", "apart"}),
        "apart.slots": frozenset({"app", "index"}),
        "incident": frozenset(
            {"app", "index", "generation", "endpoint", "explained", "confirmed", "until"}
        ),
    }
)
"""By the path of what has them. What is in no path here has names of the operators' or callers'
own, or is not ours to read."""

DEEPEST: Final = 32
"""Levels of what is carried along unread: JSON that nests deeper can be read before it can be
written, and Python's limit for that depends on who calls."""

_SHOWABLE: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


def unknown_field(value: Any, path: str = "") -> str | None:
    """The path of a field that no gateway of format 1 writes; None if there is none.

    What has another shape than it should is left to its reader.
    """
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and (found := _among(one, path)):
            return found
    return None


def nests_deeper(value: Any, levels: int = DEEPEST) -> bool:
    """Whether there are mappings or lists within each other on more than so many levels."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(nests_deeper(one, levels - 1) for one in inner)


def _among(one: dict[str, Any], path: str) -> str | None:
    known = FIELDS.get(path)
    if known is None:
        return None
    for name, inner in one.items():
        below = f"{path}.{name}" if path else name
        if name not in known:
            # Whatever else stands there may be a value that lost its place.
            return below if _SHOWABLE.fullmatch(name) else f"{path}.?".lstrip(".")
        if found := unknown_field(inner, below):
            return found
    return None
