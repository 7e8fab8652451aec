"""One lane of an account as one replica paces it: who waits, which moments it has, what it asks.

Pure: time is the replica's own, in seconds of a clock that never goes back.
"""

from bisect import insort
from collections import deque
from collections.abc import Hashable
from math import ceil
from typing import Final, Generic, NamedTuple, TypeVar

from gateway.core.fair_queue import FairQueue
from gateway.core.plans import Limit, Pool
from gateway.core.rate_book import Ask, Share

T = TypeVar("T", bound=Hashable)

LATE: Final = 0.2
"""Seconds for which a moment is good: a busy machine does not wake up in time."""

KEPT: Final = 0.7
"""How much of what it knows of its calls a replica still heeds after a period."""

QUIET: Final = 0.05
"""Calls in a period below which it needs nothing in advance."""

MOST_STOCK: Final = 128
"""Moments that it asks for in advance."""


class Refusal(NamedTuple):
    """Why a call is not let through, and in how many seconds it would be."""

    reason: str
    """`full`: its caller has too many waiting; `late`: its time is over; `day`: the day's calls
    are used up."""
    seconds: float


class Lane(Generic[T]):
    """`limit` and `pool` are the plan's, or what Zoom's answers made of them."""

    def __init__(self, limit: Limit, pool: Pool | None, queue: FairQueue[T]) -> None:
        self.limit = limit
        self.pool = pool
        self.queue = queue
        self._most = limit.calls
        self.used = 0.0
        """The share of the limit that the fleet uses, as the store said last."""
        self.behind = 0
        """Calls of the fleet that waited then."""
        self._rate = limit.calls / limit.seconds
        self._moments: list[tuple[float, str]] = []
        """Sorted: when a call may leave, and for which caller the store meant it."""
        self._stock: deque[tuple[float, float]] = deque()
        """Until when a call may leave, here and by the store's time."""
        self._unused: list[float] = []
        self._recent = 0.0
        """Calls in a period, the newest counting most."""
        self._calls = 0
        self._throttled = 0
        self._spent = 0
        self._shut = 0.0
        """Until when the day's calls are used up."""

    # Calls.

    def go(self, now: float) -> bool:
        """Whether a call may leave at once; then it has taken its turn."""
        self._calls += 1
        return not self.queue and now >= self._shut and self._moment(now) is not None

    def wait(self, caller: str, item: T, now: float) -> Refusal | None:
        """Let it wait, or say why not."""
        if self._shut > now:
            return Refusal("day", self._shut - now)
        if not self.queue.put(caller, item):
            return Refusal("full", self.expected(caller))
        return None

    def ready(self, now: float) -> list[tuple[str, T]]:
        """Those that may leave now, in their turn."""
        found: list[tuple[str, T]] = []
        while self.queue and (meant := self._moment(now)) is not None:
            one = self.queue.take(meant)
            assert one is not None  # noqa: S101  it is not empty
            found.append(one)
        return found

    def give_back(self, now: float) -> None:
        """A call that had its turn did not leave: another may."""
        insort(self._moments, (now, ""))

    def next(self) -> float | None:
        """When the next of those that wait may leave, as far as is known."""
        return self._moments[0][0] if self._moments and self.queue else None

    def shut(self, now: float) -> bool:
        """Whether the day's calls are used up."""
        return self._shut > now

    def shut_for(self, now: float) -> Refusal:
        return Refusal("day", max(0.0, self._shut - now))

    def expected(self, caller: str) -> float:
        """Seconds that one more call of this caller would wait, about."""
        rounds = self.queue.of(caller) + 1
        before = sum(min(rounds, count) for count in self.queue.waiting().values())
        share = before / max(1, len(self.queue))
        return max(before, share * self.behind, 1) / self._rate

    def _moment(self, now: float) -> str | None:
        """Use one that is there: for which caller it was meant, `""` if for none."""
        moments, stock = self._moments, self._stock
        while moments and moments[0][0] <= now:
            at, caller = moments.pop(0)
            if at >= now - LATE:
                return caller
        while stock:
            good, end = stock.popleft()
            if good >= now:
                return ""
            self._unused.append(end)
        return None

    # Zoom's answers.

    def throttled(self) -> None:
        """Zoom refused a call: too many in too short a time."""
        self._throttled += 1

    def told(self, calls: int) -> None:
        """Zoom named the limit: the last that it named counts, if it is lower than the plan's."""
        if calls > 0 and calls != self.limit.calls:
            self.limit = Limit(min(calls, self._most), self.limit.seconds)

    def spent(self, calls: int) -> None:
        """Zoom said how many of the day's calls are used."""
        self._spent = max(0, calls)

    def close(self, until: float) -> None:
        """Zoom takes no more before this moment."""
        self._shut = max(self._shut, until)

    # The store.

    @property
    def active(self) -> bool:
        """Whether there is something to ask for."""
        return bool(self.queue) or self._calls > 0 or self._recent > QUIET

    def ask(self, now: float) -> Ask:
        self._recent = max(float(self._calls), self._recent * KEPT)
        self._calls = 0
        while self._stock and self._stock[0][0] < now:
            self._unused.append(self._stock.popleft()[1])
        self._moments = [one for one in self._moments if one[0] >= now - LATE]
        wanted = 0 if self.queue or self._recent <= QUIET else ceil(2 * self._recent)
        asked = Ask(
            self.limit,
            self.pool,
            self._wants(),
            max(0, min(MOST_STOCK, wanted) - len(self._stock)),
            tuple(self._unused),
            self._throttled,
            self._spent,
        )
        self._unused, self._throttled, self._spent = [], 0, 0
        return asked

    def take(self, share: Share, offset: float) -> None:
        """What the store gave; `offset` is what is to be added to its time for that of here."""
        for at, caller in share.moments:
            insort(self._moments, (at + offset, caller))
        self._stock.extend((end + offset, end) for end in share.stock)
        self.used, self.behind = share.used, share.behind
        self._rate = share.per_second or self._rate
        if share.opens is not None:
            self.close(share.opens + offset)

    def _wants(self) -> dict[str, int]:
        """By caller, in the order of their turns: what waits and has no moment yet."""
        wants = dict(self.queue.waiting())
        missing = len(self.queue) - len(self._moments)
        for _, caller in self._moments:
            if wants.get(caller, 0) > 0:
                wants[caller] -= 1
        # A moment meant for one caller may be another's by now.
        too_many = sum(wants.values()) - max(0, missing)
        while too_many > 0:
            caller = max(wants, key=wants.__getitem__)
            wants[caller] -= 1
            too_many -= 1
        return {caller: count for caller, count in wants.items() if count > 0}
