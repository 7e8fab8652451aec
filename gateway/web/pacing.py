"""Pacing at the edge: calls wait for their turn here, and the store is asked behind their backs."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from gateway.core.endpoint import Endpoint
from gateway.core.errors import PacedError, StoreError, StoreUnavailableError
from gateway.core.fair_queue import FairQueue
from gateway.core.paced_use import CallerUse, Use
from gateway.core.pacing import Lane, Refusal
from gateway.core.plans import USUAL, Plan
from gateway.core.rate_book import DAY, PERIOD, Ask, Book, Share
from gateway.core.ratelimit import Kind, Limited, told
from gateway.ports import Clock, RateStore
from gateway.reports import CallReport

PATIENCE: Final = 1.0
"""Seconds for the store to answer: calls wait for it."""

OUTAGE: Final = (1.0, 16.0)
"""Seconds after a fault of the store until it is asked again, at first and at most. Meanwhile each
replica goes on with its part of the limits."""

CLOSED: Final = 600.0
"""Seconds for which calls are turned away, at most, after Zoom said that the day's are used up: one
of the next asks Zoom again, as an account's plan may change, and Zoom may err."""

LEARNED: Final = 1024
"""Endpoints whose category Zoom's answers taught, at most; the table knows most of them."""

_COARSE: Final = 10.0
"""Seconds for which an estimate of the store's time is kept, though newer ones are less sure."""


class PaceHooks(NamedTuple):
    """Who is told. Nothing here may raise or wait."""

    waited: Callable[[str, str, float], None]
    """Account, lane and seconds, of a call that had to wait and was let through."""
    refused: Callable[[str, str, str], None]
    """Account, lane and reason."""
    used: Callable[[str, str, float], None]
    """Account, lane and the share of the limit that the fleet uses, 0 to 1."""
    failed: Callable[[StoreError], None]
    """The store does not answer."""
    defect: Callable[[BaseException], None]


@dataclass(frozen=True, slots=True)
class PaceParts:
    """`place` gives this replica's among all, from 0, and how many there are, as far as is known.
    `wait` is in seconds.
    """

    account: str
    replica: str
    plan: Plan
    wait: float
    store: RateStore
    clock: Clock
    place: Callable[[], tuple[int, int]]
    hooks: PaceHooks


@dataclass(slots=True, eq=False)
class _Line:
    """A lane, and what wakes it."""

    lane: Lane["asyncio.Future[None]"]
    timer: asyncio.TimerHandle | None = None
    due: float = 0.0
    use: Use = field(default_factory=Use)


class Pacer:
    """One account's calls in one process. For one event loop."""

    def __init__(self, parts: PaceParts) -> None:
        self._parts = parts
        self._plan = parts.plan
        self._now = parts.clock.now
        self._lines: dict[str, _Line] = {}
        self._learned: dict[str, str] = {}
        """By endpoint: the category that Zoom names."""
        self._book = Book()
        """This replica's own, for when the store is away."""
        self._begun: set[str] = set()
        """The lanes of it that were used in this outage."""
        self._away_until = 0.0
        self._pause = 0.0
        """Of the outage: seconds until the store is asked again; 0: there is none."""
        self._offset: tuple[float, float, float] | None = None
        """What is to be added to the store's time for ours; how unsure that is, and since when."""
        self._asked = 0.0
        self._task: asyncio.Task[None] | None = None

    # Calls.

    def goes(self, endpoint: Endpoint, caller: str) -> bool:
        """Whether a call may leave at once; then it has taken its turn."""
        line = self._line(endpoint)
        if line is None:
            return True
        now = self._now()
        gone = line.lane.go(now)
        if gone:
            line.use.sent(caller, now)
        if self._task is None:
            self._task = asyncio.create_task(self._serve(), name="pacing")
        return gone

    async def turn(self, endpoint: Endpoint, caller: str, report: CallReport) -> None:
        """Wait until the call may leave, after `goes` said no. Raises PacedError."""
        line = self._line(endpoint)
        if line is None:
            return
        began = self._now()
        try:
            await self._wait(line, endpoint, caller, self._parts.wait - report.pace_wait)
        finally:
            ended = self._now()
            report.pace_wait += ended - began
        line.use.sent(caller, ended)
        self._parts.hooks.waited(self._parts.account, self._lane_of(endpoint), ended - began)

    async def _wait(self, line: _Line, endpoint: Endpoint, caller: str, within: float) -> None:
        lane = line.lane
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        refusal = lane.wait(caller, turn, self._now())
        if refusal is not None:
            raise self._refused(endpoint, line, caller, refusal)
        self._arm(line)
        try:
            done, _ = await asyncio.wait([turn], timeout=max(0.0, within))
        except BaseException:
            self._leave(line, caller, turn)
            raise
        if not done:
            seconds = lane.expected(caller)
            lane.queue.remove(caller, turn)
            raise self._refused(endpoint, line, caller, Refusal("late", seconds))
        if turn.cancelled():
            raise self._refused(endpoint, line, caller, lane.shut_for(self._now()))

    def _leave(self, line: _Line, caller: str, turn: "asyncio.Future[None]") -> None:
        """Its caller is gone: if it had its turn already, another has it."""
        if not line.lane.queue.remove(caller, turn) and turn.done() and not turn.cancelled():
            line.lane.give_back(self._now())
            self._release(line)

    def _refused(
        self, endpoint: Endpoint, line: _Line, caller: str, refusal: Refusal
    ) -> PacedError:
        line.use.refused(caller, self._now())
        self._parts.hooks.refused(self._parts.account, self._lane_of(endpoint), refusal.reason)
        return PacedError(_WORDS[refusal.reason], max(1, -int(-refusal.seconds // 1)))

    # Zoom's answers.

    def heard(self, endpoint: Endpoint, values: Mapping[bytes, bytes]) -> None:
        """Zoom answered: `values` are its header's, by names in lower case."""
        found = told(values)
        if found.category is not None and found.category != self._category(endpoint):
            if len(self._learned) >= LEARNED:
                self._learned.clear()
            self._learned[endpoint.key] = found.category
        line = self._line(endpoint)
        if line is None or found.limit is None:
            return
        if found.kind in _SHORT:
            line.lane.told(found.limit)
        elif found.kind is Kind.DAILY and found.remaining is not None:
            line.lane.spent(found.limit - found.remaining)

    def limited(self, endpoint: Endpoint, found: Limited) -> None:
        """Zoom refused a call with 429."""
        line = self._line(endpoint)
        if line is None:
            return
        if found.kind in _SHORT or found.kind is Kind.UNKNOWN:
            line.lane.throttled()
        elif found.kind is Kind.DAILY:
            left = DAY - self._parts.clock.wall() % DAY
            wait = left if found.wait is None else found.wait
            line.lane.close(self._now() + min(wait, CLOSED))
            self._turn_away(line)

    # Lanes.

    def _lane_of(self, endpoint: Endpoint) -> str:
        return self._plan.lane(self._category(endpoint), endpoint.product)

    def _category(self, endpoint: Endpoint) -> str:
        return self._learned.get(endpoint.key) or endpoint.category or USUAL

    def _line(self, endpoint: Endpoint) -> _Line | None:
        name = self._lane_of(endpoint)
        line = self._lines.get(name)
        if line is None and (limit := self._plan.lanes.get(name)) is not None:
            line = _Line(Lane(limit, self._plan.pools.get(name), FairQueue()))
            self._lines[name] = line
        return line

    def _release(self, line: _Line) -> None:
        for caller, turn in line.lane.ready(self._now()):
            if turn.done():  # its caller is just leaving
                line.lane.give_back(self._now())
                continue
            del caller
            turn.set_result(None)
        self._arm(line)

    def _arm(self, line: _Line) -> None:
        """Wake up when the next one may leave."""
        at = line.lane.next()
        if line.timer is not None:
            if at == line.due:
                return
            line.timer.cancel()
            line.timer = None
        if at is not None:
            line.due = at
            loop = asyncio.get_running_loop()
            line.timer = loop.call_later(max(0.0, at - self._now()), self._wake, line)

    def _wake(self, line: _Line) -> None:
        line.timer = None
        self._release(line)

    def _turn_away(self, line: _Line) -> None:
        """No call goes any more today: nobody needs to wait for that."""
        while (one := line.lane.queue.take()) is not None:
            one[1].cancel()

    # The store.

    async def _serve(self) -> None:
        """Ask for shares as long as there is something to ask for."""
        try:
            while lines := {n: line for n, line in self._lines.items() if line.lane.active}:
                pause = self._asked + PERIOD - self._now()
                if pause > 0:
                    await asyncio.sleep(pause)
                    continue
                self._asked = self._now()
                asks = {name: line.lane.ask(self._asked) for name, line in lines.items()}
                shares, offset = await self._exchange(asks)
                for name, share in shares.items():
                    self._parts.hooks.used(self._parts.account, name, share.used)
                    self._take(self._lines[name], share, offset)
        except Exception as problem:  # noqa: BLE001  the next call begins anew
            self._parts.hooks.defect(problem)
        finally:
            self._task = None
            for name in self._lines:
                self._parts.hooks.used(self._parts.account, name, 0.0)

    def _take(self, line: _Line, share: Share, offset: float) -> None:
        line.lane.take(share, offset)
        self._release(line)
        if line.lane.shut(self._now()):
            self._turn_away(line)

    async def _exchange(self, asks: Mapping[str, Ask]) -> tuple[Mapping[str, Share], float]:
        """Ask the store, or, while it is away, ourselves; and what to add to the time of that."""
        parts = self._parts
        began = self._now()
        if began >= self._away_until:
            try:
                async with asyncio.timeout(PATIENCE):
                    now, shares = await parts.store.reserve(parts.account, parts.replica, asks)
                self._pause = 0.0
                return shares, self._measured(began, self._now(), now)
            except (StoreError, TimeoutError) as problem:
                if not self._pause:
                    parts.hooks.failed(_fault(problem))
                    self._begun.clear()
                first, most = OUTAGE
                self._pause = min(most, 2 * self._pause) or first
                self._away_until = self._now() + self._pause
        wall = parts.clock.wall()
        return self._apart(asks, wall), self._now() - wall

    def _apart(self, asks: Mapping[str, Ask], wall: float) -> Mapping[str, Share]:
        """Share the limits without the store: each replica its part, none at the same moment."""
        place, count = self._parts.place()
        own = {
            name: ask._replace(
                limit=ask.limit.part(count),
                pool=None if ask.pool is None else ask.pool.part(count),
                unused=(),
            )
            for name, ask in asks.items()
        }
        for name, ask in own.items():
            if name not in self._begun:
                self._begun.add(name)
                wait = ask.limit.seconds / ask.limit.calls * place / count
                self._book.begin(name, ask.limit, wall + wait)
        return self._book.exchange(self._parts.replica, own, wall)

    def _measured(self, sent: float, received: float, store: float) -> float:
        """The store said its time at some moment between: the closer these are the better."""
        unsure = received - sent
        known = self._offset
        if known is None or unsure <= known[1] or received - known[2] > _COARSE:
            known = self._offset = ((sent + received) / 2 - store, unsure, received)
        elif not sent - store <= known[0] <= received - store:
            # One of the clocks was set.
            known = self._offset = ((sent + received) / 2 - store, unsure, received)
        return known[0]

    # For people.

    def status(self) -> dict[str, dict[str, Any]]:
        """By lane: the limit, what is used of it, and who uses it."""
        now = self._now()
        return {
            name: {
                "calls": line.lane.limit.calls,
                "seconds": line.lane.limit.seconds,
                "used": round(line.lane.used, 3),
                "waiting": len(line.lane.queue),
                "callers": [one._asdict() for one in self.callers(name, now)],
            }
            for name, line in sorted(self._lines.items())
        }

    def callers(self, lane: str, now: float) -> list[CallerUse]:
        """Those that sent most in the last minute, the first before all."""
        return self._lines[lane].use.most(now, self._lines[lane].lane.queue.waiting())

    async def close(self) -> None:
        for line in self._lines.values():
            if line.timer is not None:
                line.timer.cancel()
                line.timer = None
        if self._task is not None:
            task = self._task
            task.cancel()
            await asyncio.wait([task])


def _fault(problem: StoreError | TimeoutError) -> StoreError:
    if isinstance(problem, StoreError):
        return problem
    return StoreUnavailableError(
        f"the store gave no schedule of calls within {PATIENCE:g} s (store.url, ratelimit.pace)"
    )


_SHORT: Final = frozenset({Kind.PER_SECOND, Kind.PER_MINUTE})

_WORDS: Final = {
    "full": "This caller has too many calls waiting for their turn within Zoom's rate limits;"
    " nothing was sent.",
    "late": "This call waited too long for its turn within Zoom's rate limits (ratelimit.pace);"
    " nothing was sent.",
    "day": "Zoom's daily limit for calls like this one is used up; nothing was sent.",
}
