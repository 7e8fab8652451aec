"""One call's tokens: the first, and better ones after refusals."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from gateway.core.account import Refusals
from gateway.core.endpoint import Endpoint
from gateway.core.errors import TokenUnavailableError
from gateway.core.judge import Finding, Refusal, Ruling
from gateway.core.secret import Secret
from gateway.core.token import Token
from gateway.ports import Clock
from gateway.tokens.ledger import Ledger
from gateway.tokens.waiting import WaitingRoom

MAX_REFUSALS: Final = 2
"""A call that is refused with three tokens in a row is not the tokens' fault."""


class Bench(Protocol):
    """What a call needs of its account's manager."""

    ledger: Ledger
    room: WaitingRoom
    clock: Clock
    wait_timeout: float
    chance: Callable[[], float]
    """In [0, 1)."""

    def judge(self, token: Token, refusal: Refusal) -> Ruling: ...

    async def verdict(self, token: Token, endpoint: str) -> Finding: ...

    def accepted(self, token: Token, endpoint: str, refused: Refusals, sent_at: float) -> None: ...

    def next_try(self) -> float:
        """The moment of the next attempt to get a token."""

    def lack(self) -> str:
        """Why there is no token."""


class CallSession:
    """Implements `CallTokens`. `_waited` adds up the seconds spent waiting for tokens."""

    __slots__ = ("_bench", "_dead", "_endpoint", "_refused", "_sent_at", "_waited")

    def __init__(self, bench: Bench, endpoint: Endpoint) -> None:
        self._bench = bench
        self._endpoint = endpoint.key
        self._refused: Refusals = ()
        self._dead: tuple[Secret, ...] = ()
        self._sent_at = 0.0
        self._waited = 0.0

    def ready(self) -> Token | None:
        token = self._bench.ledger.token()
        self._sent_at = self._bench.clock.now()
        return token

    async def first(self) -> Token:
        token = await self._wait()
        self._sent_at = self._bench.clock.now()
        return token

    async def better(self, refused: Token, *, expired: bool = False) -> Token | None:
        if len(self._refused) == MAX_REFUSALS:
            return None
        second = bool(self._refused)
        self._dead = (*self._dead, refused.value)
        self._refused = (*self._refused, (refused.generation, self._bench.clock.now()))
        refusal = Refusal(
            refused.generation,
            self._endpoint,
            second,
            expired=expired,
            jitter=self._bench.chance(),
        )
        ruling = self._bench.judge(refused, refusal)
        if ruling is Ruling.PROBE:
            finding = await self._verdict(refused)
            ruling = self._bench.judge(refused, replace(refusal, finding=finding))
        if ruling in (Ruling.PASS, Ruling.PROBE):
            return None
        try:
            token = await self._wait()
        except TokenUnavailableError:
            return None
        if token.value in self._dead:
            # It was set aside, could not be replaced, and a probe found it alive.
            return None
        self._sent_at = self._bench.clock.now()
        return token

    def accepted(self, token: Token) -> None:
        self._bench.accepted(token, self._endpoint, self._refused, self._sent_at)

    async def _verdict(self, refused: Token) -> Finding:
        before = self._bench.clock.now()
        try:
            return await self._bench.verdict(refused, self._endpoint)
        finally:
            self._waited += self._bench.clock.now() - before

    async def _wait(self) -> Token:
        """Wait for a token as long as this call may, and no longer than it can help.

        Raises TokenUnavailableError.
        """
        bench = self._bench
        token = bench.ledger.token()
        if token is not None:
            return token
        start = bench.clock.now()
        deadline = start + bench.wait_timeout - self._waited
        try:
            while token is None:
                await self._next_change(deadline)
                token = bench.ledger.token()
            return token
        finally:
            self._waited += bench.clock.now() - start

    async def _next_change(self, deadline: float) -> None:
        """Wait for a change. Raises TokenUnavailableError if none can help in time."""
        bench = self._bench
        if await bench.room.wait(deadline):
            return
        wait = bench.next_try() - bench.clock.now()
        raise TokenUnavailableError(bench.lack(), retry_after=max(1, math.ceil(wait)))
