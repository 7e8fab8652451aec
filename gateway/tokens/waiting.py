"""Where the calls of an account wait for a token, and are woken together.

A mint changes the document half a dozen times before the token is there. What one look can tell is
told to all who wait, and only those whom it concerns are woken.
"""

import asyncio
from collections.abc import Callable

from gateway.core.token import Token
from gateway.ports import Clock


class WaitingRoom:
    """One per account and replica.

    `token` gives the token for a new call, `next_try` the moment of the next attempt to get one.
    """

    def __init__(
        self, clock: Clock, token: Callable[[], Token | None], next_try: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._token = token
        self._next_try = next_try
        self._waiting: dict[asyncio.Future[bool], float] = {}
        """With when each has waited long enough."""
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        """When it comes: not after the deadline of anybody who waits."""
        self._looking = False
        """It is looked at the next attempt soon."""
        self._known: float | None = None
        """The next attempt, in this turn of the loop: a kill brings many who ask at once."""

    async def wait(self, deadline: float) -> bool:
        """Return when it is worth looking again; False if no attempt can help before `deadline`."""
        loop = asyncio.get_running_loop()
        now = self._clock.now()
        if self._attempt(loop) > deadline or now >= deadline:
            return False
        woken: asyncio.Future[bool] = loop.create_future()
        self._waiting[woken] = deadline
        if self._timer is None or deadline < self._due:
            self._set_timer(loop, deadline, now)
        try:
            return await woken
        finally:
            del self._waiting[woken]

    def _set_timer(self, loop: asyncio.AbstractEventLoop, due: float, now: float) -> None:
        """One for all: most who wait came together, and go long before it is over."""
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = loop.call_later(due - now, self._over)

    def _over(self) -> None:
        """The first of them has waited long enough, or did not have to. Timers may be early."""
        self._timer = None
        now = max(self._clock.now(), self._due)
        for woken, deadline in self._waiting.items():
            if deadline <= now:
                _wake(woken, False)
        later = [deadline for deadline in self._waiting.values() if deadline > now]
        if later:
            self._set_timer(asyncio.get_running_loop(), min(later), now)

    def changed(self) -> None:
        """The document changed, or a mint began or ended. Cheap while nobody waits."""
        self._known = None
        if not self._waiting:
            return
        if self._token() is not None:
            for woken in self._waiting:
                _wake(woken)
        elif not self._looking:
            # Not at once: what follows from the change is not done yet.
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        """Wake those whom the next attempt cannot help in time."""
        self._looking = False
        if not self._waiting:
            return
        attempt = self._attempt(asyncio.get_running_loop())
        for woken, deadline in self._waiting.items():
            if attempt > deadline:
                _wake(woken)

    def _attempt(self, loop: asyncio.AbstractEventLoop) -> float:
        if self._known is None:
            self._known = self._next_try()
            loop.call_soon(self._forget)
        return self._known

    def _forget(self) -> None:
        self._known = None


def _wake(woken: "asyncio.Future[bool]", look: bool = True) -> None:  # noqa: FBT001, FBT002  a future's result
    if not woken.done():
        woken.set_result(look)
