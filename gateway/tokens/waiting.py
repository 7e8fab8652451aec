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

    async def wait(self, deadline: float) -> bool:
        """Return when it is worth looking for a token, or giving up; False at the deadline."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(max(0.0, deadline - self._clock.now()), _wake, woken, False)
        self._waiting[woken] = deadline
        try:
            return await woken
        finally:
            timer.cancel()
            del self._waiting[woken]

    def changed(self) -> None:
        """The document changed, or a mint began or ended. Cheap while nobody waits."""
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
        next_try = self._next_try()
        for woken, deadline in self._waiting.items():
            if next_try > deadline:
                _wake(woken)


def _wake(woken: "asyncio.Future[bool]", look: bool = True) -> None:  # noqa: FBT001, FBT002  a future's result
    if not woken.done():
        woken.set_result(look)
