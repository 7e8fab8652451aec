"""What the simulator saw: counters, broken rules, operations and the latest calls."""

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 1000
"""Calls and broken rules that are kept."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One call. `target` is the raw request target, each byte one latin-1 character.

    `status` is None when the connection was dropped; `body_sha256` is None when the body was
    not read. Secrets stand as fingerprints. `at` is in monotonic seconds.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body_size: int
    body_sha256: str | None
    status: int | None
    token: str | None
    at: float


class Ledger:
    """Counts; everything here is plain data that a test can compare."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.counts: Counter[str] = Counter()
        self.mints_by_slot: Counter[tuple[str, int]] = Counter()
        self.foreign_by_slot: Counter[tuple[str, int]] = Counter()
        self.endpoints: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.acted_twice: list[str] = []
        self.violations: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.requests: deque[Seen] = deque(maxlen=KEPT)

    def mint(self, app: str, index: int, *, foreign: bool) -> None:
        self.counts["foreign_mints" if foreign else "mints"] += 1
        (self.foreign_by_slot if foreign else self.mints_by_slot)[app, index] += 1

    def act(self, operation_id: str | None) -> None:
        """Count an operation that was carried out, by its X-Operation-Id if it has one."""
        self.counts["acted"] += 1
        if operation_id is None:
            return
        self.operations[operation_id] += 1
        if self.operations[operation_id] == 2:  # noqa: PLR2004  the first repetition
            self.acted_twice.append(operation_id)

    def violation(self, reason: str, at: float) -> None:
        """Record a broken rule; the reason never holds a value that the caller sent."""
        self.counts["violations"] += 1
        self.violations.append({"reason": reason, "at": round(at, 6)})

    def snapshot(self) -> dict[str, Any]:
        """Return all counters as JSON data."""
        count = self.counts
        return {
            "mints": {"total": count["mints"], "by_slot": _slots(self.mints_by_slot)},
            "foreign_mints": {
                "total": count["foreign_mints"],
                "by_slot": _slots(self.foreign_by_slot),
            },
            **{key: count[key] for key in PLAIN_COUNTERS},
            "acted_twice": list(self.acted_twice),
            "violations": list(self.violations),
            "endpoints": dict(sorted(self.endpoints.items())),
        }

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """Return the latest calls, oldest first."""
        chosen = list(self.requests)[-limit:] if limit else []
        return [asdict(seen) for seen in chosen]


PLAIN_COUNTERS = (
    "mint_attempts",
    "mint_failures",
    "calls",
    "refusals",
    "unknown_tokens",
    "acted",
    "rate_limited",
    "aborted_bodies",
    "dropped",
    "revokes",
    "kills",
    "superseded",
    "tokens_to_storage",
)
"""Counters beside the mints: `superseded` are tokens that a later mint killed, `kills` those
that the control killed, `aborted_bodies` bodies whose sender hung up before their end, and
`unknown_tokens` refusals of tokens that were never issued here; `tokens_to_storage` are shown where
an address is signed, and refused there."""


def _slots(counter: Counter[tuple[str, int]]) -> dict[str, int]:
    return {f"{app}/{index}": number for (app, index), number in sorted(counter.items())}
