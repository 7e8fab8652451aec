"""Callers of a whole fleet, what each of them saw, and what a scenario comes to."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.fleet import Fleet

PATIENCE = 15.0
"""Seconds after which a client gives up."""

ME = "/v2/users/me"
MEETINGS = "/v2/users/me/meetings"

_OPERATION = itertools.count()


@dataclass(frozen=True, slots=True)
class Call:
    """`at` is the monotonic moment when it was sent; `status` 0 means that no answer came."""

    replica: int
    at: float
    seconds: float
    status: int
    problem: str = ""

    @property
    def lost(self) -> bool:
        return self.status in {0, 401} or self.status >= 500


@dataclass
class Result:
    """What a scenario comes to. `recoveries` are seconds; what they measure, `measured` says."""

    scenario: str
    replicas: int
    calls: list[Call] = field(default_factory=list)
    blows: tuple[tuple[int, float], ...] = ()
    """Which replica was killed or paused, and when: its calls in flight are counted apart."""
    acted_twice: list[str] = field(default_factory=list)
    mints: int = 0
    kills: int = 0
    recoveries: list[float] = field(default_factory=list)
    measured: str = ""
    seen: dict[str, Any] = field(default_factory=dict)
    """What else the scenario looked at."""
    tale: str = ""

    def excused(self, call: Call) -> bool:
        """The replica that served it was killed, or stood still, meanwhile."""
        return any(
            replica == call.replica and call.at <= moment <= call.at + call.seconds
            for replica, moment in self.blows
        )

    def lost(self) -> list[Call]:
        return [call for call in self.calls if call.lost and not self.excused(call)]

    def lost_with_their_replica(self) -> int:
        return sum(call.lost and self.excused(call) for call in self.calls)

    @property
    def longest(self) -> float:
        """Seconds of the longest call that nothing excuses."""
        return max((call.seconds for call in self.calls if not self.excused(call)), default=0.0)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.recoveries)
        return ordered[round(share * (len(ordered) - 1))] if ordered else 0.0

    def story(self) -> str:
        """For the message of an assertion: all that was seen."""
        statuses: dict[int, Counter[int]] = {}
        for call in self.calls:
            statuses.setdefault(call.replica, Counter())[call.status] += 1
        begun = min((call.at for call in self.calls), default=0.0)
        lines = [
            f"{self.scenario}: {self.replicas} replicas, {len(self.calls)} calls",
            f"kills: {self.kills}, mints: {self.mints}, acted twice: {len(self.acted_twice)}",
            f"longest wait: {self.longest:.3f} s",
            *(f"replica {number}: {dict(counts)}" for number, counts in sorted(statuses.items())),
            *(f"{name}: {value}" for name, value in self.seen.items()),
            f"recoveries ({self.measured}): {[round(one, 3) for one in self.recoveries]}",
            *(
                f"lost at {call.at - begun:.3f} s, replica {call.replica}, after"
                f" {call.seconds:.3f} s: {call.status} {call.problem}"
                for call in self.lost()[:20]
            ),
            self.tale,
        ]
        return "\n".join(lines)


class Callers:
    """Calls at a steady rate, round robin over the replicas that are up.

    Every second call creates something. Each has an operation id of its own.
    """

    def __init__(self, fleet: Fleet, per_second: float) -> None:
        self._fleet = fleet
        self._pause = 1 / per_second
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self.calls: list[Call] = []

    async def run(self, client: aiohttp.ClientSession) -> None:
        due = time.monotonic()
        for number in itertools.count():
            due += self._pause
            # Behind time, as on a busy machine: the calls are not made up for in one burst.
            due = max(due, time.monotonic() - 0.1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self._stopped:
                return
            up = self._fleet.up
            call = self._one(client, up[number % len(up)], number, time.monotonic())
            task = asyncio.create_task(call)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """No more calls; those under way are answered."""
        self._stopped = True
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _one(
        self, client: aiohttp.ClientSession, replica: int, number: int, begun: float
    ) -> None:
        # `begun` is when the replica was chosen: it may have been killed since.
        url = self._fleet.gates[replica].url
        creates = (number // max(1, len(self._fleet.gates))) % 2
        headers = {"X-Operation-Id": f"fleet-{next(_OPERATION)}"}
        status, problem = 0, ""
        try:
            async with client.request(
                "POST" if creates else "GET",
                url + (MEETINGS if creates else ME),
                json={"topic": "fleet"} if creates else None,
                headers=headers,
            ) as answer:
                text = await answer.text()
                status = answer.status
                problem = "" if status < 300 else text[:200]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = repr(error)
        self.calls.append(Call(replica, begun, time.monotonic() - begun, status, problem))


@asynccontextmanager
async def callers(fleet: Fleet, per_second: float) -> AsyncIterator[list[Call]]:
    """Load while the block runs; all calls are answered, or given up, at its end."""
    made = Callers(fleet, per_second)
    async with client_session(PATIENCE) as client:
        task = asyncio.create_task(made.run(client))
        try:
            yield made.calls
        finally:
            await made.stop()
            await task


@asynccontextmanager
async def client_session(seconds: float) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
        # A GET that aiohttp sends once more when its connection breaks would act twice by itself.
        client._retry_connection = False
        yield client


def recoveries(calls: Collection[Call], moments: Iterable[float]) -> list[float]:
    """Seconds from each moment to the first good answer of a call that was sent after it.

    If that moment ended every token, the answer came with a new one.
    """
    good = sorted((call.at, call.at + call.seconds) for call in calls if call.status in {200, 201})
    found = []
    for moment in moments:
        ends = [end for at, end in good if at > moment]
        if ends:
            found.append(min(ends) - moment)
    return found
