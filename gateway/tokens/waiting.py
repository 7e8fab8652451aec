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
        timer = loop.call_later(deadline - now, _wake, woken, False)
        self._waiting[woken] = deadline
        try:
            return await woken
        finally:
            timer.cancel()
            del self._waiting[woken]

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
