"""The minter of an account: one task, so that a replica never mints twice at a time.

No caller owns a mint, so none can cancel one. A failure is a change of the document like any
other: it is never kept as a result, only its backoff is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from gateway.core import course as rules
from gateway.core.account import Account, Change, Minting, Outcome
from gateway.core.course import Course, Mint, Publication, Rest
from gateway.core.errors import (
    MAY_HAVE_MINTED,
    MintError,
    MintFailure,
    StoreError,
    StoreUnavailableError,
)
from gateway.core.history import holds, newest
from gateway.core.token import Cause, Grant, Token
from gateway.ports import Clock, Lease, Minter, TokenStore
from gateway.tokens.ledger import STORE_PAUSE, Commit, Ledger
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
        lease = await self._acquire()
        if lease is None:
            await asyncio.sleep(LEASE_POLL)
            await self._ledger.refresh()
            return
        async with self._kept(lease):
            await self._ledger.refresh()
            self._ledger.standing.write_worked()
            # Look again: another replica may have minted meanwhile.
            step = rules.next_step(self._ledger.view(), self.course(), self._clock.now())
            if isinstance(step, Mint) and not self._stopping:
                await self._mint(step, lease)

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
    async def _kept(self, lease: Lease) -> AsyncIterator[None]:
        renewal = asyncio.create_task(self._renew(lease))
        try:
            yield
        finally:
            renewal.cancel()
            await asyncio.wait([renewal])
            # If it cannot be given back, it ends by itself.
            with contextlib.suppress(StoreError):
                await self._parts.store.release(lease)

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(self._parts.lease / 3)
            # One that fails is made good by the next, while the lease lasts.
            with contextlib.suppress(StoreError):
                if not await self._parts.store.renew(lease, self._parts.lease):
                    return

    async def _mint(self, step: Mint, lease: Lease) -> None:
        former = await self._comparable(step)
        if self._stopping:
            return
        since, known = self._clock.now(), self._ledger.account.generation
        note = Minting(step.slot, since, str(lease.fence), self._parts.replica, step.cause)
        begun = await self._begun(note, lease)
        self._ledger.write_on()
        if not begun:
            return
        outcome = await self._ask(step)
        change = self._change(step, outcome, since)
        commit = await self._publish(change, lease)
        if commit is Commit.FORGOTTEN:
            # The token is ours all the same: it is used here, and stored when that works again.
            self._ledger.apply(_unless_newer(known, outcome, change, note))
        elif commit is Commit.TAKEN_OVER and _may_have_minted(outcome):
            self._ledger.apply(partial(_lost, note))
        self._conclude(outcome, former if commit is Commit.DONE else None)

    async def _begun(self, note: Minting, lease: Lease) -> bool:
        """Write that the mint is in progress. False: it is another's turn, or not wanted any more.

        Raises StoreError.
        """
        try:
            commit = await self._ledger.commit(partial(_begin, note, self.course()), lease)
        except StoreError:
            # The note may have been written all the same, but Zoom was asked for nothing.
            self._ledger.apply(partial(_unbegun, note))
            raise
        return commit is Commit.DONE and self._ledger.account.minting == note

    async def _publish(self, change: Change, lease: Lease) -> Commit:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._ledger.commit(change, lease)
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
        self._ledger.apply(_unless_newer(known, outcome, change, note))
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


def _begin(note: Minting, course: Course, account: Account, now: float) -> Outcome:
    """Only if it is still wanted: another replica's token may have come since the last look."""
    step = rules.next_step(account, course, now)
    if not isinstance(step, Mint) or step.slot != note.slot:
        return account, ()
    return rules.begin(account, note, now)


def _unbegun(note: Minting, account: Account, now: float) -> Outcome:
    del now
    mine = account.minting is not None and account.minting.fence == note.fence
    return (replace(account, minting=None) if mine else account), ()


def _lost(note: Minting, account: Account, now: float) -> Outcome:
    return rules.lost(account, note, now)


def _unless_newer(known: int, outcome: Grant | MintError, change: Change, note: Minting) -> Change:
    """A change that no fence guards: it counts unless others have minted since."""

    def apply(account: Account, now: float) -> Outcome:
        if isinstance(outcome, Grant) and holds(account, outcome.value):
            # It was written, and only the store's answer was lost: nothing is left but to tell.
            return account, change(account, now)[1]
        latest = newest(account)
        if account.generation <= known or latest is None or latest.issued_at < note.since:
            return change(account, now)
        return rules.lost(account, note, now) if _may_have_minted(outcome) else (account, ())

    return apply


def _may_have_minted(outcome: Grant | MintError) -> bool:
    return isinstance(outcome, Grant) or outcome.failure in MAY_HAVE_MINTED
