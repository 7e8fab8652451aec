"""Probes: one harmless call tells whether a token is alive, for everybody who wonders."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.core.account import SUSPICION, Account
from gateway.core.judge import Finding
from gateway.core.secret import Secret
from gateway.core.token import Token
from gateway.ports import Clock, Probe, Prober

PATIENCE: Final = 1.0
"""Seconds a call waits for a verdict."""

SPACING: Final = 1.0
"""Seconds between two probes of an account."""

DEADLINE: Final = 4.0
"""Seconds for a probe itself: a late verdict still teaches."""


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """`endpoint` is the key of the endpoint that `target` belongs to."""

    target: bytes
    endpoint: str


@dataclass(slots=True)
class _Round:
    """A probe that is not sent yet, for those who wait for it."""

    verdict: asyncio.Future[Finding]
    asked_at: float
    """When the last one joined: only what was sent after that proves anything to all."""
    of_active: bool
    """The token was the active one; once it is not, nobody needs the verdict."""


class ProbeDesk:
    """One per account and replica."""

    def __init__(
        self,
        prober: Prober,
        clock: Clock,
        targets: tuple[ProbeTarget, ...],
        account: Callable[[], Account],
    ) -> None:
        self._prober = prober
        self._clock = clock
        self._targets = targets
        self._account = account
        self._rounds: dict[tuple[Secret, bytes], _Round] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._sent_at = -SPACING
        self._proof: tuple[Secret | None, float] = (None, 0.0)
        """The token that a call was accepted with last, and when that call was sent."""
        self._denials: dict[Secret, tuple[str, float]] = {}
        """Token: the endpoint that refused a probe with it, and when the probe was sent."""
        self._liars: dict[str, float] = {}
        """Endpoints that refused a token others accepted: until when they are not asked."""

    async def verdict(self, token: Token, endpoint: str) -> Finding:
        """Is the token, which this endpoint refused just now, alive? Waits at most `PATIENCE`.

        NONE: it was the active token, and is not any more, so the question fell away.
        """
        waiting = self._join(token, self._target(endpoint))
        done, _ = await asyncio.wait([waiting], timeout=PATIENCE)
        return waiting.result() if done else Finding.UNDECIDED

    def _target(self, endpoint: str) -> bytes:
        """The first that is neither the endpoint in question nor itself suspected."""
        suspects, now = self._account().suspects, self._clock.now()
        for candidate in self._targets:
            doubted = max(
                suspects.get(candidate.endpoint, 0.0), self._liars.get(candidate.endpoint, 0.0)
            )
            if candidate.endpoint != endpoint and doubted <= now:
                return candidate.target
        return self._targets[-1].target

    def _is_active(self, token: Secret) -> bool:
        active = self._account().active
        return active is not None and active.value == token

    def _join(self, token: Token, target: bytes) -> "asyncio.Future[Finding]":
        key = (token.value, target)
        now = self._clock.now()
        found = self._rounds.get(key)
        if found is not None and not found.verdict.done():
            found.asked_at = now
            return found.verdict
        verdict: asyncio.Future[Finding] = asyncio.get_running_loop().create_future()
        begun = _Round(verdict, now, self._is_active(token.value))
        self._rounds[key] = begun
        task = asyncio.create_task(self._run(key, begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return verdict

    async def _run(self, key: tuple[Secret, bytes], begun: _Round) -> None:
        finding = Finding.UNDECIDED
        try:
            if not await self._take_turn(begun):
                return
            self._forget(key, begun)
            sent_at = self._sent_at
            async with asyncio.timeout(DEADLINE):
                alive = await self._prober.probe(Probe(*key))
            if alive is not None:
                finding = Finding.ALIVE if alive else self._denied(key, begun.asked_at, sent_at)
        except TimeoutError:
            pass
        finally:
            self._forget(key, begun)
            if not begun.verdict.done():
                begun.verdict.set_result(finding)

    async def _take_turn(self, begun: _Round) -> bool:
        """Wait until the next probe may be sent; False if it is not needed any more."""
        async with self._turn:
            pause = self._sent_at + SPACING - self._clock.now()
            if pause > 0:
                await asyncio.wait([begun.verdict], timeout=pause)
            if begun.verdict.done():
                return False
            self._sent_at = self._clock.now()
            return True

    def _forget(self, key: tuple[Secret, bytes], begun: _Round) -> None:
        """From now on a refusal is younger than the probe, and needs the next one."""
        if self._rounds.get(key) is begun:
            del self._rounds[key]

    def _denied(self, key: tuple[Secret, bytes], asked_at: float, sent_at: float) -> Finding:
        """The probe was refused. A call that was accepted meanwhile knows better."""
        token, target = key
        endpoint = next(one.endpoint for one in self._targets if one.target == target)
        proven, proof_sent_at = self._proof
        if proven == token and proof_sent_at > asked_at:
            self._liars[endpoint] = self._clock.now() + SUSPICION
            return Finding.ALIVE
        self._denials = {token: (endpoint, sent_at)}
        return Finding.DEAD

    def accepted(self, token: Token, sent_at: float) -> None:
        """A call proved what a probe would: it was sent after the refusals, and accepted."""
        self._proof = (token.value, sent_at)
        if not self._denials and not self._rounds:
            return
        if token.value in self._denials:
            endpoint, denied_at = self._denials[token.value]
            if sent_at > denied_at:
                # The probe's own endpoint refuses by itself.
                self._liars[endpoint] = self._clock.now() + SUSPICION
                self._denials = {}
        for (probed, _), begun in self._rounds.items():
            fits = probed == token.value and sent_at > begun.asked_at
            if fits and not begun.verdict.done():
                begun.verdict.set_result(Finding.ALIVE)

    def proven_at(self, token: Token) -> float:
        """When the last call that was accepted with the token was sent; long ago if none was."""
        proven, sent_at = self._proof
        return sent_at if proven == token.value else float("-inf")

    def account_changed(self) -> None:
        """Who asked about a token that was replaced meanwhile need not wait."""
        for (token, _), begun in self._rounds.items():
            if begun.of_active and not begun.verdict.done() and not self._is_active(token):
                begun.verdict.set_result(Finding.NONE)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
