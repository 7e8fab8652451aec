"""The schedule of an account's calls that all replicas share: who may send, and when.

A replica that wants to send says how many calls of which callers wait, and is given moments. Each
moment is written down as the last at which its call leaves, and a new one is only given where
fewer than `limit.calls` were written down in the time of the limit before it: so there are never
more in any time of that length, whatever the phase in which Zoom counts. That time is kept a bit
longer than Zoom's (`slack`), as calls do not take equally long on their way: 429s make the slack
grow, and each call that is let through makes it a bit less.

While most of the budget is unused, moments are at once, and a replica gets some in advance that
are good for a short time, so that its calls need not ask. Beyond that they come evenly, not
further ahead than `HORIZON`, each for the caller whose turn it is, at whatever replica it waits;
until that replica has heard of it, it can still become another's, whose turn is before.

Pure: time is the store's, in seconds since the epoch. A store keeps what `encode` gives.
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from typing import Any, Final, NamedTuple

from gateway.core.plans import Limit, Pool

PERIOD: Final = 0.1
"""Seconds between two times that a replica asks, at least."""

TOLD: Final = PERIOD + 0.03
"""Seconds ahead that a replica is told of its moments: until it asks again."""

HORIZON: Final = TOLD + 0.03
"""Seconds that moments are given ahead."""

AHEAD: Final = 0.3
"""Seconds for which a moment that was given in advance is good."""

AT_ONCE: Final = 0.25
"""The share of a limit that may go at one moment."""

IN_ADVANCE: Final = 0.75
"""The share of a limit up to which moments are given in advance."""

GONE: Final = 1.0
"""Seconds after which a replica that does not ask any more wants nothing."""

SLACK: Final = 0.035
LEAST_SLACK: Final = 0.02
MOST_SLACK: Final = 0.25
"""Shares of a limit's time that are added to it: at first, at least, at most."""

GROWS: Final = 0.005
"""How much a 429 adds to the slack."""

SHRINKS: Final = GROWS / 200
"""How much each call takes off it: the two are even when one call in two hundred meets a 429."""

MOST_CALLERS: Final = 64
"""Callers that a replica names at once: the others have their turn after these."""

DAY: Final = 86_400.0


class Ask(NamedTuple):
    """What a replica says of one lane."""

    limit: Limit
    pool: Pool | None = None
    wants: Mapping[str, int] = {}
    """By caller: calls that wait here, and have no moment yet that this replica knows of."""
    stock: int = 0
    """Moments that it would like to have in advance."""
    unused: Sequence[float] = ()
    """Moments, as they were given in advance, at which no call went."""
    throttled: int = 0
    """429s of this lane since it asked last."""
    spent: int = 0
    """What Zoom said of the day's calls: so many are used."""


class Share(NamedTuple):
    """What it gets."""

    moments: Sequence[tuple[float, str]] = ()
    """When a call may leave, and for which caller that is."""
    stock: Sequence[float] = ()
    """Until when a call each may leave, from now on."""
    used: float = 0.0
    """The share of the limit that is used, 0 to 1."""
    per_second: float = 0.0
    """The rate that calls are let through with."""
    behind: int = 0
    """Calls of all replicas that wait for moments."""
    opens: float | None = None
    """When the day's calls are used up: when the next day begins."""


class Turn(NamedTuple):
    """A caller that waits: who is in the earliest round is served first, and in it who came first.

    A round is not begun anew: who could not be served, as its replica would not have heard in
    time, is then before the others.
    """

    round: int
    place: int


@dataclass(slots=True)
class _Desk:
    """A replica, as a lane knows it."""

    seen: float
    wants: dict[str, int] = field(default_factory=dict)
    moments: list[tuple[float, str, Turn]] = field(default_factory=list)
    """For which callers it will be given them, and when their turns were before; it has not heard
    of them yet."""


@dataclass(slots=True)
class _Lane:
    taken: list[float] = field(default_factory=list)
    """The last moments at which calls leave, sorted."""
    last: float = 0.0
    """The latest moment that was given but in advance."""
    slack: float = SLACK
    desks: dict[str, _Desk] = field(default_factory=dict)
    turns: dict[str, Turn] = field(default_factory=dict)
    """Callers that wait."""
    last_place: int = 0


class Book:
    """One account's."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._days: dict[str, list[int]] = {}
        """By pool: the day, and how many calls it has had."""

    def exchange(self, replica: str, asks: Mapping[str, Ask], now: float) -> dict[str, Share]:
        """A replica asks, and gets what is due to it, by lane."""
        return {name: self._lane(name, replica, ask, now) for name, ask in asks.items()}

    def begin(self, name: str, limit: Limit, at: float) -> None:
        """Nothing is known of what went before: the first moment of this lane is `at`."""
        window = limit.seconds * (1.0 + SLACK)
        lane = self._lanes[name] = _Lane()
        lane.taken, lane.last = [at - window] * limit.calls, at - window / limit.calls

    def _lane(self, name: str, replica: str, ask: Ask, now: float) -> Share:
        lane = self._lanes.setdefault(name, _Lane())
        window = ask.limit.seconds * (1.0 + lane.slack)
        _forget(lane, ask.limit, window, now)
        for moment in ask.unused:
            self._give_back(lane, ask.pool, moment, now)
        lane.slack = min(MOST_SLACK, lane.slack + GROWS * ask.throttled)
        free = _recall(lane, replica)
        desk = _heard(lane, replica, ask, now)
        idle = _assign(lane, desk, free)
        for moment in idle:
            self._give_back(lane, ask.pool, moment, now)
        left = self._left(ask, now)
        given = _allot(lane, desk, ask.limit, left, now)
        stock = _advance(lane, ask, left - given, now)
        if ask.pool is not None:
            self._days[ask.pool.name][1] += given + len(stock)
        lane.slack = max(LEAST_SLACK, lane.slack - SHRINKS * (given + len(stock)))
        window = ask.limit.seconds * (1.0 + lane.slack)
        return Share(
            _told(desk, now),
            stock,
            min(1.0, _blocked(lane, now - window) / ask.limit.calls),
            ask.limit.calls / window,
            sum(sum(one.wants.values()) for one in lane.desks.values()),
            (now // DAY + 1) * DAY if left <= given + len(stock) else None,
        )

    def _left(self, ask: Ask, now: float) -> int:
        """How many calls the day still has."""
        if ask.pool is None:
            return _ENDLESS
        today = int(now // DAY)
        day = self._days.setdefault(ask.pool.name, [today, 0])
        if day[0] != today:
            day[:] = [today, 0]
        day[1] = max(day[1], ask.spent)
        return max(0, ask.pool.calls - day[1])

    def _give_back(self, lane: _Lane, pool: Pool | None, moment: float, now: float) -> None:
        at = bisect_right(lane.taken, moment + _TICK / 2) - 1
        if at >= 0 and abs(lane.taken[at] - moment) <= _TICK / 2:
            del lane.taken[at]
            day = self._days.get(pool.name) if pool is not None else None
            if day is not None and day[0] == int(now // DAY):
                day[1] = max(0, day[1] - 1)

    def encode(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"lanes": {name: _encoded(one) for name, one in self._lanes.items()}} | {
            "days": self._days
        }


_ENDLESS: Final = 1 << 30
_TICK: Final = 1e-4
"""Seconds to which moments are rounded."""


def decode(raw: Any) -> Book:
    """What `encode` gave; anything else is an empty book: it is full again within a window."""
    book = Book()
    try:
        lanes = {str(name): _decoded(one) for name, one in raw["lanes"].items()}
        days = {str(name): [int(day), int(used)] for name, (day, used) in raw["days"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return book
    book._lanes, book._days = lanes, days  # noqa: SLF001  its own module
    return book


def _encoded(lane: _Lane) -> list[Any]:
    desks = {name: [d.seen, d.wants, d.moments] for name, d in lane.desks.items()}
    return [lane.taken, lane.last, round(lane.slack, 6), desks, lane.turns, lane.last_place]


def _decoded(raw: Any) -> _Lane:
    taken, last, slack, desks, turns, place = raw
    made = _Lane(
        sorted(_moment(one) for one in taken),
        _moment(last),
        min(MOST_SLACK, max(LEAST_SLACK, _moment(slack))),
        {str(name): _desk(*one) for name, one in desks.items()},
        {str(caller): _turn(turn) for caller, turn in turns.items()},
        int(place),
    )
    for desk in made.desks.values():
        for caller in desk.wants:
            if caller not in made.turns:
                raise ValueError("a caller without a place")
    return made


def _desk(seen: Any, wants: Any, moments: Any) -> _Desk:
    return _Desk(
        _moment(seen),
        {str(caller): int(count) for caller, count in wants.items()},
        [(_moment(at), str(caller), _turn(turn)) for at, caller, turn in moments],
    )


def _turn(raw: Any) -> Turn:
    number, place = raw
    return Turn(int(number), int(place))


def _moment(raw: Any) -> float:
    value = float(raw)
    if not isfinite(value):
        raise ValueError("not a moment")
    return value


def _forget(lane: _Lane, limit: Limit, window: float, now: float) -> None:
    """What is over, and what was written before the clock was set back."""
    latest = now + window + HORIZON + AHEAD
    if lane.last > latest:
        lane.last = now
        lane.taken = [min(one, now) for one in lane.taken]
    del lane.taken[: bisect_right(lane.taken, now - limit.seconds * (1.0 + MOST_SLACK))]
    for name in [name for name, d in lane.desks.items() if not now - GONE <= d.seen <= now + GONE]:
        del lane.desks[name]


def _recall(lane: _Lane, replica: str) -> list[float]:
    """Take back what no replica has heard of yet, as if it had not been given; in its order."""
    free: list[float] = []
    for name, desk in lane.desks.items():
        for at, caller, turn in desk.moments:
            free.append(at)
            lane.turns[caller] = min(turn, lane.turns.get(caller, turn))
            # What the one that asks wants it says itself.
            if name != replica:
                desk.wants[caller] = desk.wants.get(caller, 0) + 1
        desk.moments = []
    return sorted(free)


def _heard(lane: _Lane, replica: str, ask: Ask, now: float) -> _Desk:
    """Write down what a replica wants."""
    desk = lane.desks.setdefault(replica, _Desk(now))
    desk.seen = round(now, 3)
    wants = ((caller, count) for caller, count in ask.wants.items() if count > 0)
    desk.wants = dict(islice(wants, MOST_CALLERS))
    wanted = {caller for one in lane.desks.values() for caller in one.wants}
    lane.turns = {caller: turn for caller, turn in lane.turns.items() if caller in wanted}
    # Behind all that wait: else many who come for the first time would be before them.
    number = 1 + min((turn.round for turn in lane.turns.values()), default=0)
    for caller in desk.wants:
        if caller not in lane.turns:
            lane.last_place += 1
            lane.turns[caller] = Turn(number, lane.last_place)
    return desk


def _told(desk: _Desk, now: float) -> list[tuple[float, str]]:
    """What it has to know until it asks again."""
    told = [(at, caller) for at, caller, _ in desk.moments if at <= now + TOLD]
    desk.moments = [one for one in desk.moments if one[0] > now + TOLD]
    return told


def _due(lane: _Lane, limit: Limit, now: float) -> float:
    """The next moment at which a call may leave."""
    window = limit.seconds * (1.0 + lane.slack)
    at = now
    if _blocked(lane, now - window) + 1 > max(1.0, limit.calls * AT_ONCE):
        at = max(at, lane.last + window / limit.calls)
    if len(lane.taken) >= limit.calls:
        at = max(at, lane.taken[-limit.calls] + window)
    return at


def _blocked(lane: _Lane, since: float) -> int:
    return len(lane.taken) - bisect_right(lane.taken, since)


def _assign(lane: _Lane, asking: _Desk, free: Sequence[float]) -> list[float]:
    """Give moments to those whose turn it is; what is left when nobody waits any more."""
    for number, at in enumerate(free):
        if not lane.turns:
            return list(free[number:])
        _give(lane, asking, at)
    return []


def _allot(lane: _Lane, asking: _Desk, limit: Limit, left: int, now: float) -> int:
    """Give new moments, `left` at most; how many."""
    given = 0
    while lane.turns and given < left:
        at = round(_due(lane, limit, now) + _TICK / 2, 4)
        if at > now + HORIZON:
            break
        insort(lane.taken, at)
        lane.last = max(lane.last, at)
        _give(lane, asking, at)
        given += 1
    return given


def _give(lane: _Lane, asking: _Desk, at: float) -> None:
    """Give a moment to the caller whose turn it is, where most of its calls wait.

    Of those replicas that hear of it in time, if there are any: the one that asks, and others if
    they are to ask before.
    """
    soon = [one for one in lane.desks.values() if one is asking or at >= one.seen + PERIOD]
    desks = soon if any(one.wants for one in soon) else list(lane.desks.values())
    callers = {caller for one in desks for caller in one.wants}
    caller = min(callers, key=lane.turns.__getitem__)
    desk = max(desks, key=lambda one: one.wants.get(caller, 0))
    desk.moments.append((at, caller, lane.turns[caller]))
    desk.wants[caller] -= 1
    if not desk.wants[caller]:
        del desk.wants[caller]
    lane.last_place += 1
    lane.turns[caller] = Turn(lane.turns[caller].round + 1, lane.last_place)
    if not any(caller in one.wants for one in lane.desks.values()):
        del lane.turns[caller]


def _advance(lane: _Lane, ask: Ask, left: int, now: float) -> list[float]:
    """Moments that are given in advance, if nobody waits for one."""
    if lane.turns or not ask.stock:
        return []
    calls, window = ask.limit.calls, ask.limit.seconds * (1.0 + lane.slack)
    room = int(calls * IN_ADVANCE) - _blocked(lane, now - window)
    end = round(now + AHEAD, 4)
    stock = [end] * max(0, min(ask.stock, room, left))
    for moment in stock:
        insort(lane.taken, moment)
    return stock
