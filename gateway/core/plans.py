"""How many calls Zoom takes of an account, by plan (official, February 2026).

A lane is what is counted together: a category, or the category of a product that has limits of
its own. A pool is what several lanes draw on in a day of UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Final, NamedTuple

CATEGORIES: Final = ("light", "medium", "heavy", "resource-intensive")

USUAL: Final = "medium"
"""Of an operation that the table names no category for: what most of those have that are no plain
reading of one thing. What Zoom's answers say corrects it."""

APART: Final = frozenset({"phone", "contact-center"})
"""Products that have limits of their own."""


class Limit(NamedTuple):
    """So many calls in any time of so many seconds."""

    calls: int
    seconds: float

    def part(self, parts: int) -> "Limit":
        """The fair part of one among `parts`: the same rate for each, in whole calls."""
        if parts <= 1:
            return self
        calls = max(1, self.calls // parts)
        return Limit(calls, self.seconds * calls * parts / self.calls)


class Pool(NamedTuple):
    """So many calls a day of UTC, of all lanes that draw on it."""

    name: str
    calls: int

    def part(self, parts: int) -> "Pool":
        return self if parts <= 1 else Pool(self.name, ceil(self.calls / parts))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is not in `lanes` has no limit that is known, and is not paced."""

    lanes: Mapping[str, Limit]
    pools: Mapping[str, Pool] = field(default_factory=dict)
    """By lane."""

    def lane(self, category: str, product: str) -> str:
        """The lane of an operation."""
        if product in APART:
            own = f"{product}.{category}"
            if own in self.lanes:
                return own
        return category


def _rates(light: int, medium: int, heavy: int, intensive: int, phone: int) -> dict[str, Limit]:
    """The last is what Phone's and Contact Center's heavy calls have; 0: nothing of their own."""
    lanes = {
        "light": Limit(light, 1.0),
        "medium": Limit(medium, 1.0),
        "heavy": Limit(heavy, 1.0),
        "resource-intensive": Limit(intensive, 60.0),
    }
    if phone:
        for product in sorted(APART):
            lanes[f"{product}.light"] = Limit(4 * phone, 1.0)
            lanes[f"{product}.medium"] = Limit(2 * phone, 1.0)
            lanes[f"{product}.heavy"] = Limit(phone, 1.0)
    return lanes


def daily(calls: int) -> dict[str, Pool]:
    """What heavy and resource-intensive calls share."""
    shared = Pool("heavy and resource-intensive", calls)
    lanes = ("heavy", "resource-intensive", *(f"{product}.heavy" for product in sorted(APART)))
    return dict.fromkeys(lanes, shared)


PLANS: Final[Mapping[str, Plan]] = {
    "free": Plan(
        _rates(4, 2, 1, 10, 0),
        {
            name: Pool(name, calls)
            for name, calls in zip(CATEGORIES, (6_000, 2_000, 1_000, 30_000), strict=True)
        },
    ),
    "pro": Plan(_rates(30, 20, 10, 10, 5), daily(30_000)),
    "business": Plan(_rates(80, 60, 40, 20, 10), daily(60_000)),
}
