"""Layers of keys, one on top of the other."""

from typing import Any

Tree = dict[str, Any]


class Items(dict[int, Any]):
    """Changes to single items of a list, by their place, counted from 0."""


def merge(base: Any, over: Any) -> Any:
    """`over` on top of `base`: mappings key by key, Items place by place, all else as a whole."""
    if isinstance(over, Items):
        return _change(base, over)
    if not isinstance(over, dict):
        return over
    below = base if isinstance(base, dict) else {}
    return below | {key: merge(below.get(key), value) for key, value in over.items()}


def _change(base: Any, changes: Items) -> Any:
    if base is not None and not isinstance(base, list):
        return base  # no list, so the model will refuse it
    items = list(base or [])
    for place, value in sorted(changes.items()):
        # Places in between stay empty, and the model says what is missing there.
        items += [{} for _ in range(place + 1 - len(items))]
        items[place] = merge(items[place], value)
    return items
