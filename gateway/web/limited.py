"""Calls that Zoom's rate limits refused: which limit it is, and whether they are sent again."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

from gateway.core.ratelimit import REMAINING, Limited, last_sending, limited, retry_in
from gateway.core.verdict import message_of
from gateway.ports import Clock
from gateway.reports import RetryOutcome, Throttling
from gateway.web.admit import Call
from gateway.web.received import Received
from gateway.web.visit import Visit

_CHANCE: Final = random.Random()  # noqa: S311  for jitter; seeded by the system in each process


class Limits429:
    """Looks at the 429s of all calls.

    `call_timeout` is what a call may take as a whole, in seconds; 0: any time.
    """

    __slots__ = ("_chance", "_clock", "_within")

    def __init__(
        self, clock: Clock, call_timeout: float, chance: Callable[[], float] = _CHANCE.random
    ) -> None:
        self._clock = clock
        self._within = last_sending(call_timeout)
        self._chance = chance

    async def again(self, visit: Visit, call: Call, received: Received) -> bool:
        """Look at a 429, and wait for its time if the call is to be sent again; say whether it is.

        The answer is whole all the same, and can be passed on.
        """
        # An answer to HEAD has no body; of others, the beginning says it best.
        body = b"" if call.method == "HEAD" else await received.look(let_go=call.body is None)
        read = received.headers.read
        if b"retry-after" in read:
            dates = [value for name, value in received.headers.kept if name.lower() == b"date"]
            read = {**read, b"date": b",".join(dates)}
        report = visit.report
        if REMAINING in read:
            report.told = read
        found = limited(read, message_of(body), call.endpoint.category, self._clock.wall())
        story = report.throttling = report.throttling or Throttling()
        story.seen.append(found)
        if visit.pacer is not None:
            visit.pacer.limited(call.endpoint, found)
        most = call.account.retries
        return bool(most) and await self._wait(visit, story, found, most)

    async def _wait(self, visit: Visit, story: Throttling, found: Limited, most: int) -> bool:
        pause = retry_in(found, story.retries, self._chance())
        if pause is None:
            return False
        began = self._clock.now()
        if story.retries >= most:
            story.outcome = RetryOutcome.LIMITED
        elif began + pause > visit.began + self._within:
            story.outcome = RetryOutcome.TOO_LATE
        elif not visit.can_replay():
            story.outcome = RetryOutcome.IMPOSSIBLE
        else:
            story.outcome = RetryOutcome.FAILED  # if the call ends while it waits
            if visit.steps is not None:
                visit.steps.ended(began)
            try:
                await asyncio.sleep(pause)
            finally:
                visit.paused += self._clock.now() - began
            if visit.can_replay():
                story.retries += 1
                return True
            # Its body went on streaming meanwhile.
            story.outcome = RetryOutcome.IMPOSSIBLE
        return False
