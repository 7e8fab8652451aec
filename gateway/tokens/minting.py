"""The minter of an account: one task, so that a replica never mints twice at a time.

No caller owns a mint, so none can cancel one. A failure is a change of the document like any
other: it is never kept as a result, only its backoff is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway.core import course as rules
from gateway.core.account import Account, Change, Minting, Outcome
from gateway.core.course import Course, Mint, Publication, Rest
from gateway.core.errors import (
    MintError,
    MintFailure,
    StoreError,
    StoreUnavailableError,
)
from gateway.core.token import Cause, Grant, Token
from gateway.ports import Claim, Clock, Lease, Minter, TokenStore
from gateway.tokens.ledger import STORE_PAUSE, Commit, Ledger
from gateway.tokens.notes import begin, lost, may_have_minted, unbegun, unless_newer
from gateway.tokens.outage import Outage

GLANCE: Final = 1.0
"""Seconds to wait for the lease of a store that is down: calls wait meanwhile."""

PATIENCE: Final = 2.0
"""Seconds to wait for a minted token to be published: then calls get it all the same."""

NAP: Final = 15.0
"""Seconds of the longest sleep: timers stand still while a laptop sleeps, tokens age."""

LEASE_POLL: Final = 0.1
"""Seconds between looks while another replica mints."""

DEFECT_PAUSE: Final = 1.0
"""Seconds after an error of the gateway's own, so that it fills no log."""


@dataclass(frozen=True, slots=True)
class MintingParts:
    """What minting works with, for one account."""

    name: str
    """The account's."""
    replica: str
    ledger: Ledger
    store: TokenStore
    minter: Minter
    clock: Clock
    chance: Callable[[], float]
    """In [0, 1)."""
    new_tag: Callable[[], str]
    """Random: for the fence of a lease."""
    rotate_at: float | None
    mint_timeout: float
    lease: float
    mint_in_outage: bool
    alive: Callable[[Token], Awaitable[bool]]
    """Whether a probe finds the token alive."""
    rotated: Callable[[Token, Token], None]
    """Told the former token, alive before a rotation into another slot, and the new one."""
    failed: Callable[[], None]
    """Told after a mint that failed, and while a token is missing that may not be minted."""
    defect: Callable[[Exception], None]
    """Told of an error of the gateway's own."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A mint: `since` when, and the newest generation `known` then."""

    step: Mint
    since: float
    known: int


@dataclass(slots=True)
class _Held:
    """A lease, and whether it was given back."""

    lease: Lease
    ended: bool = False


class MintLoop:
    """Carries out what `next_step` decides, for ever."""

    def __init__(self, parts: MintingParts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._clock = parts.clock
        self._jitter = parts.chance()
        self._jitter_for = 0
        self._stopped = asyncio.Event()
        self._outage = Outage()
        self.tried = False
        """A mint was tried, or a token found in the store."""
        self.served = False
        """There was a token for calls once."""
        self.minting = False

    def course(self) -> Course:
        generation = self._ledger.account.generation
        if generation != self._jitter_for:
            self._jitter, self._jitter_for = self._parts.chance(), generation
        return Course(self._parts.rotate_at, self._jitter)

    async def run(self) -> None:
        while not self._stopping:
            woken = self._ledger.changes()
            account = self._ledger.view()
            self.tried = self.tried or account.active is not None
            self.served = self.served or self._ledger.token() is not None
            step = rules.next_step(account, self.course(), self._clock.now())
            try:
                await (self._attempt(step) if isinstance(step, Mint) else self._rest(step, woken))
            except Exception as problem:  # noqa: BLE001  a dead minter would be found too late
                self._parts.defect(problem)
                await asyncio.sleep(DEFECT_PAUSE)

    def stop(self) -> None:
        """A mint in progress is finished first: its token must not be lost."""
        self._stopped.set()
        self._ledger.announce()

    @property
    def _stopping(self) -> bool:
        return self._stopped.is_set()

    async def _rest(self, step: Rest, woken: asyncio.Event) -> None:
        seconds = step.until - self._clock.now()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(NAP, seconds))):
                await woken.wait()

    async def _attempt(self, step: Mint) -> None:
        self.minting = True
        try:
            if step.cause is Cause.REFUSAL:
                self._ledger.hold_back()
            try:
                await self._under_lease()
            finally:
                self._ledger.write_on()
        except StoreError as problem:
            self._ledger.store_failed(problem)
            await self._without_store()
        finally:
            self.minting = False
            # Who waits was told that a mint is under way: now when the next one is.
            self._ledger.announce()
        # A store in memory never waits: callers must have their turn between two attempts.
        await asyncio.sleep(0)

    async def _under_lease(self) -> None:
        if self._ledger.standing.shut_out:
            # Those who can read what this replica cannot need the lease.
            await self._ledger.refresh()
        step = rules.next_step(self._ledger.view(), self.course(), self._clock.now())
        if isinstance(step, Mint) and step.cause is not Cause.ROTATION and self._ledger.current:
            lease, begun = await self._seize(step)
        else:
            lease, begun = await self._acquire(), None
        if lease is None:
            await asyncio.sleep(LEASE_POLL)
            await self._ledger.refresh()
            return
        async with self._kept(lease) as held:
            if begun is not None:
                await self._mint(begun, held)
                return
            await self._ledger.refresh()
            self._ledger.standing.write_worked()
            # Look again: another replica may have minted meanwhile.
            step = rules.next_step(self._ledger.view(), self.course(), self._clock.now())
            if isinstance(step, Mint) and not self._stopping:
                await self._begin(step, held)

    async def _seize(self, step: Mint) -> tuple[Lease | None, "_Begun | None"]:
        """Take the lease, and write with it that the mint is in progress: one wait where nobody
        wrote meanwhile, in place of three. Else the lease alone.

        Raises StoreError.
        """
        claim = Claim(self._parts.replica, self._parts.lease, self._parts.new_tag())
        begun = _Begun(step, self._clock.now(), self._ledger.account.generation)
        course = self.course()
        try:
            lease, written = await self._ledger.seize(
                claim, lambda fence: partial(begin, self._note(begun, str(fence)), course)
            )
        except StoreError:
            # The note may have been written all the same, but Zoom was asked for nothing.
            self._ledger.apply(partial(unbegun, claim.tag))
            raise
        if not written:
            return lease, None
        self._ledger.write_on()
        return lease, begun

    def _note(self, begun: "_Begun", fence: str) -> Minting:
        step = begun.step
        return Minting(step.slot, begun.since, fence, self._parts.replica, step.cause)

    async def _acquire(self) -> Lease | None:
        """Take the lease. Of a store that is down already, an answer is not awaited for long."""
        parts = self._parts
        limit = GLANCE if self._ledger.standing.problem else None
        try:
            async with asyncio.timeout(limit):
                return await parts.store.acquire(parts.name, parts.replica, parts.lease)
        except TimeoutError:
            raise StoreUnavailableError(f"the store did not answer within {GLANCE:g} s") from None

    async def _without_store(self) -> None:
        """The store is down, so nobody can be asked: mint alone, if that helps and may be."""
        step = rules.next_step(self._ledger.view(), self.course(), self._clock.now())
        needed = self._ledger.token() is None
        if not (isinstance(step, Mint) and needed and self._may_mint_alone):
            if needed:
                self._parts.failed()
            await self._pause(STORE_PAUSE)
            return
        number = self._ledger.standing.outages
        pause = self._outage.pause(number, self._clock.now(), self._parts.chance())
        if pause > 0:
            self._parts.failed()
            # The next attempt is a fresh look at the store.
            await self._pause(min(STORE_PAUSE, pause))
        elif not self._stopping:
            try:
                await self._detached(step)
            finally:
                # Not before: who asks meanwhile is to wait for this one.
                self._outage.minted(self._clock.now())

    @property
    def _may_mint_alone(self) -> bool:
        """Not if there may be a token that this replica merely cannot read: it might kill it."""
        return self._parts.mint_in_outage and not self._ledger.standing.shut_out

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    @property
    def not_before(self) -> float:
        """While the store is down: when this replica may mint alone; else 0."""
        return self._outage.not_before if self._ledger.standing.problem else 0.0

    @contextlib.asynccontextmanager
    async def _kept(self, lease: Lease) -> AsyncIterator["_Held"]:
        held = _Held(lease)
        renewal = asyncio.create_task(self._renew(lease))
        try:
            yield held
        finally:
            renewal.cancel()
            await asyncio.wait([renewal])
            # If it cannot be given back, it ends by itself.
            if not held.ended:
                with contextlib.suppress(StoreError):
                    await self._parts.store.release(lease)

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(self._parts.lease / 3)
            # One that fails is made good by the next, while the lease lasts.
            with contextlib.suppress(StoreError):
                if not await self._parts.store.renew(lease, self._parts.lease):
                    return

    async def _begin(self, step: Mint, held: "_Held") -> None:
        former = await self._comparable(step)
        if self._stopping:
            return
        begun = _Begun(step, self._clock.now(), self._ledger.account.generation)
        written = await self._written(self._note(begun, str(held.lease.fence)), held.lease)
        self._ledger.write_on()
        if written:
            await self._mint(begun, held, former)

    async def _mint(self, begun: "_Begun", held: "_Held", former: Token | None = None) -> None:
        """Its note is in the store."""
        outcome = await self._ask(begun.step)
        change = self._change(begun.step, outcome, begun.since)
        commit = await self._publish(change, held)
        note = self._note(begun, str(held.lease.fence))
        if commit is Commit.FORGOTTEN:
            # The token is ours all the same: it is used here, and stored when that works again.
            self._ledger.apply(unless_newer(begun.known, outcome, change, note))
        elif commit is Commit.TAKEN_OVER and may_have_minted(outcome):
            self._ledger.apply(partial(lost, note))
        self._conclude(outcome, former if commit in (Commit.DONE, Commit.ENDED) else None)

    async def _written(self, note: Minting, lease: Lease) -> bool:
        """Write that the mint is in progress. False: it is another's turn, or not wanted any more.

        Raises StoreError.
        """
        try:
            commit = await self._ledger.commit(partial(begin, note, self.course()), lease)
        except StoreError:
            # The note may have been written all the same, but Zoom was asked for nothing.
            self._ledger.apply(partial(unbegun, lease.fence.tag))
            raise
        return commit is Commit.DONE and self._ledger.account.minting == note

    async def _publish(self, change: Change, held: "_Held") -> Commit:
        try:
            async with asyncio.timeout(PATIENCE):
                commit = await self._ledger.commit(change, held.lease, ends=True)
                held.ended = commit is Commit.ENDED
                return commit
        except StoreError as problem:
            self._ledger.store_failed(problem)
        except TimeoutError:
            pass  # who hangs is told of by those who wait longer
        return Commit.FORGOTTEN

    async def _comparable(self, step: Mint) -> Token | None:
        """The active token, if it is alive now and the mint will show whether it kills it."""
        former = self._ledger.account.active
        if step.cause is not Cause.ROTATION or former is None:
            return None
        if not rules.to_compare(self._ledger.account, former, step.slot):
            return None
        self._ledger.write_on()  # a probe takes its time
        return former if await self._parts.alive(former) else None

    async def _detached(self, step: Mint) -> None:
        since, known = self._clock.now(), self._ledger.account.generation
        outcome = await self._ask(step)
        note = Minting(step.slot, since, "", self._parts.replica, step.cause)
        change = self._change(step, outcome, since)
        self._ledger.apply(unless_newer(known, outcome, change, note))
        self._conclude(outcome, None)

    async def _ask(self, step: Mint) -> Grant | MintError:
        """One attempt, with its own deadline."""
        try:
            async with asyncio.timeout(self._parts.mint_timeout):
                return await self._parts.minter.mint(step.slot)
        except TimeoutError:
            seconds = f"{self._parts.mint_timeout:g}"
            return MintError(
                MintFailure.TIMEOUT, f"no answer from the token endpoint within {seconds} s"
            )
        except MintError as error:
            return error

    def _change(
        self, step: Mint, outcome: Grant | MintError, since: float
    ) -> Callable[[Account, float], Outcome]:
        if isinstance(outcome, MintError):
            jitter = self._parts.chance()
            return lambda account, now: rules.failed(account, step, outcome, jitter, now, since)
        news = Publication(outcome, step.slot, step.cause, self._parts.replica, since)
        course = self.course()
        return lambda account, now: rules.publish(account, news, course, now)

    def _conclude(self, outcome: Grant | MintError, former: Token | None) -> None:
        self.tried = True
        if isinstance(outcome, MintError):
            self._parts.failed()
            return
        fresh = self._ledger.account.active
        if former is not None and fresh is not None and fresh.generation > former.generation:
            self._parts.rotated(former, fresh)
