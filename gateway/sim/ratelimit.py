"""Zoom's rate limits: per account and category, by plan (February 2026)."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from gateway.sim.answers import Answer, with_headers, zoom_error
from gateway.sim.clock import SimClock, iso
from gateway.sim.config import SimConfig

Category = Literal["light", "medium", "heavy", "resource-intensive"]

DAY = 86_400
USER_DAILY = 100
"""Meeting creates and updates of one user in a UTC day."""

WINDOWS: dict[str, dict[str, tuple[int, int]]] = {
    "free": {"light": (4, 1), "medium": (2, 1), "heavy": (1, 1), "resource-intensive": (10, 60)},
    "pro": {"light": (30, 1), "medium": (20, 1), "heavy": (10, 1), "resource-intensive": (10, 60)},
    "business": {
        "light": (80, 1),
        "medium": (60, 1),
        "heavy": (40, 1),
        "resource-intensive": (20, 60),
    },
}
"""Calls in a window of so many seconds, by plan and category."""

SHARED = "heavy and resource-intensive"
DAILY: dict[str, dict[str, tuple[str, int]]] = {
    "free": {
        "light": ("light", 6_000),
        "medium": ("medium", 2_000),
        "heavy": ("heavy", 1_000),
        "resource-intensive": ("resource-intensive", 30_000),
    },
    "pro": {"heavy": (SHARED, 30_000), "resource-intensive": (SHARED, 30_000)},
    "business": {"heavy": (SHARED, 60_000), "resource-intensive": (SHARED, 60_000)},
}
"""The pool that a category draws on and its calls a UTC day."""

PER_SECOND = "You have reached the maximum per-second rate limit for this API. Try again later."
PER_DAY = (
    "You have reached the maximum daily rate limit for this API. Refer to the response header"
    " for details on when you can make another request."
)
PER_USER = (
    f"You have exceeded the daily rate limit ({USER_DAILY}) of Meeting Create/Update API requests"
    " permitted for this particular user. You may resume these requests at GMT 00:00:00."
)


@dataclass(frozen=True, slots=True)
class Draw:
    """What a call draws on; `user` is set for meeting creates and updates alone."""

    account_id: str
    category: Category
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """The 429 to answer, or None, and the headers that a good answer carries."""

    refusal: Answer | None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: whose count it is, how many calls, and how Zoom names and tells it."""

    key: tuple[str, ...]
    most: int
    kind: Literal["QPS", "Daily-limit"]
    message: str


class RateLimiter:
    """Counts calls in fixed windows; refused calls are not counted."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._used: Counter[tuple[str, ...]] = Counter()
        self._minute = -1
        self._rulings = 0

    def clear(self) -> None:
        self._used.clear()

    def take(self, draw: Draw, config: SimConfig) -> Ruling:
        """Count a call against its limits, or refuse it."""
        if config.rate_plan is None:
            return Ruling(None)
        self._forget_old_windows()
        limits = self._limits(draw, config)
        for limit in limits:
            if self._used[limit.key] >= limit.most:
                return self._refuse(draw, config, limit, self._left(limits))
        for limit in limits:
            self._used[limit.key] += 1
        shown = [limit for limit in limits if limit.message != PER_USER][-1]
        return Ruling(None, self._headers(draw, config, shown, self._left(limits)))

    def _limits(self, draw: Draw, config: SimConfig) -> list[Limit]:
        """The limits that a call draws on: window, the account's day, the user's day."""
        plan = config.rate_plan or "free"
        calls, seconds = WINDOWS[plan][draw.category]
        window = str(int(self._clock.now() // seconds))
        day = str(int(self._clock.wall() // DAY))
        key: tuple[str, ...] = ("window", draw.account_id, draw.category, window)
        limits = [Limit(key, _scaled(calls, config), "QPS", PER_SECOND)]
        if draw.category in DAILY[plan]:
            pool, calls = DAILY[plan][draw.category]
            key = ("day", draw.account_id, pool, day)
            limits.append(Limit(key, _scaled(calls, config), "Daily-limit", PER_DAY))
        if draw.user is not None:
            key = ("user", draw.account_id, draw.user, day)
            limits.append(Limit(key, _scaled(USER_DAILY, config), "Daily-limit", PER_USER))
        return limits

    def _left(self, limits: list[Limit]) -> int:
        """What is left of the account's widest limit; a user's own is never told."""
        account = [limit for limit in limits if limit.message != PER_USER][-1]
        return max(0, account.most - self._used[account.key])

    def _refuse(self, draw: Draw, config: SimConfig, limit: Limit, left: int) -> Ruling:
        answer = zoom_error(429, 429, limit.message)
        # Zoom answers a user's own limit with what is left of the account's.
        left = left if limit.message == PER_USER else 0
        headers = self._headers(draw, config, limit, left)
        if limit.kind == "Daily-limit":
            midnight = (self._clock.wall() // DAY + 1) * DAY
            headers = (*headers, ("Retry-After", iso(midnight)))
        return Ruling(with_headers(answer, headers))

    def _headers(
        self, draw: Draw, config: SimConfig, limit: Limit, left: int
    ) -> tuple[tuple[str, str], ...]:
        self._rulings += 1
        category = (("X-RateLimit-Category", draw.category.capitalize()),)
        sparse = config.rate_headers == "mixed" and self._rulings % 3 == 0
        if config.rate_headers == "category" or sparse:
            return category
        return (
            *category,
            ("X-RateLimit-Type", limit.kind),
            ("X-RateLimit-Limit", str(limit.most)),
            ("X-RateLimit-Remaining", str(left)),
        )

    def _forget_old_windows(self) -> None:
        """Drop the counts of past windows once a minute."""
        minute, day = int(self._clock.now() // 60), str(int(self._clock.wall() // DAY))
        if self._minute != minute:
            self._minute = minute
            kept = ((key, used) for key, used in self._used.items() if _fresh(key, minute, day))
            self._used = Counter(dict(kept))


def _fresh(key: tuple[str, ...], minute: int, day: str) -> bool:
    if key[0] != "window":
        return key[-1] == day
    return key[2] == "resource-intensive" and key[-1] == str(minute)


def _scaled(limit: int, config: SimConfig) -> int:
    return max(1, int(limit * config.rate_scale))
