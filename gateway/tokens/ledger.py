"""This replica's copy of an account's document, and its way to the store.

A change is a pure function. It is applied to the local copy at once, so that no call waits for
the store, and kept until the store has it: a newer document from there is taken over and the
changes still pending are applied on top of it. While the store is down the copy goes on alone.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from gateway.core import account as ledger_rules
from gateway.core.account import Account, Change
from gateway.core.document import Identities, clamp, decode, encode
from gateway.core.errors import StoreContentError, StoreError, StoreFormatError
from gateway.core.events import StoreDown, StoreUp, TokenEvent
from gateway.core.token import Token
from gateway.ports import Clock, Lease, Stored, TokenStore

STORE_PAUSE: Final = 1.0
"""Seconds between attempts to write to a store that is down."""


@dataclass(frozen=True, slots=True)
class LedgerParts:
    name: str
    """The account's."""
    store: TokenStore
    identities: Identities
    clock: Clock
    tell: Callable[[TokenEvent], None]
    new_epoch: Callable[[], str]
    changed: Callable[[], None]
    """Told after every change of `account`. Must not wait, nor change it."""


class Ledger:
    """One per account and replica. `account` is always the newest local view."""

    def __init__(self, parts: LedgerParts) -> None:
        self._parts = parts
        self._clock = parts.clock
        now = parts.clock.now()
        self._base = ledger_rules.empty(parts.new_epoch(), tuple(parts.identities), now)
        self._revision = 0
        self._delta = 0.0
        self._pending: list[Change] = []
        self._told = 0
        """So many of the pending changes were told of already, while the store was down."""
        self._writing = asyncio.Lock()
        self._flusher: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._token: Token | None = None
        self._token_until = 0.0
        self.account = self._base
        self.store_problem = ""
        """A sentence while the store is down, else empty."""

    # The local copy: nothing here waits.

    def token(self) -> Token | None:
        """The token for a new call."""
        if self._clock.now() >= self._token_until:
            self.view()
        return self._token

    def view(self) -> Account:
        """The document, brought up to date with the clock."""
        now = self._clock.now()
        advanced = ledger_rules.advance(self.account, now)
        if advanced is not self.account or now >= self._token_until:
            self._set(advanced, now)
        return self.account

    def _set(self, account: Account, now: float) -> None:
        self.account = account
        self._token = account.usable(now)
        self._token_until = self._token.usable_until if self._token else float("inf")

    def apply(self, change: Change) -> None:
        """Change the copy now and the store soon."""
        now = self._clock.now()
        account, _ = change(self.view(), now)
        self._pending.append(change)
        self._set(account, now)
        self.announce()
        self._kick()

    def changes(self) -> asyncio.Event:
        """Set at the next change. Take it before looking, so that none is missed."""
        return self._changed

    def announce(self) -> None:
        """Let everybody who waits look again."""
        woken, self._changed = self._changed, asyncio.Event()
        woken.set()
        self._parts.changed()

    # The store's copy.

    async def look(self) -> None:
        """The first look at the store; if it is down, that is noted and the replica goes on."""
        try:
            await self.refresh()
        except StoreError as problem:
            self._note_down(problem)

    async def refresh(self) -> Stored:
        """Take over what the store holds. Raises StoreError."""
        async with self._writing:
            return await self._read()

    async def commit(self, change: Change, lease: Lease) -> bool:
        """Write a change under a lease. False: the lease is another's by now. Raises StoreError."""
        async with self._writing:
            return await self._push((change,), lease.fence)

    def _kick(self) -> None:
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        while self._pending:
            try:
                async with self._writing:
                    await self._push((), None)
            except StoreError as problem:
                self._note_down(problem)
                await asyncio.sleep(STORE_PAUSE)

    async def _push(self, extra: tuple[Change, ...], fence: int | None) -> bool:
        """Compare and set until it holds, merging with what others wrote."""
        while True:
            count = len(self._pending)
            now = self._clock.now()
            account, events = _reduce(self._base, (*self._pending, *extra), now)
            if account == self._base:
                return self._settle(account, count, events, now)
            document = encode(account, self._parts.identities, -self._delta)
            if await self._parts.store.write(
                self._parts.name, document, revision=self._revision, fence=fence
            ):
                self._revision += 1
                self._note_up()
                return self._settle(account, count, events, now)
            stored = await self._read()
            if fence is not None and stored.fence != fence:
                return False

    def _settle(
        self, account: Account, count: int, events: list[tuple[TokenEvent, ...]], now: float
    ) -> bool:
        """The first `count` pending changes are in the store, as `account` has it."""
        self._base = account
        told = min(self._told, count)
        del self._pending[:count]
        self._told -= told
        self._rebase(now)
        self._tell(events[told:])
        return True

    def _tell(self, events: list[tuple[TokenEvent, ...]]) -> None:
        for event in itertools.chain.from_iterable(events):
            self._parts.tell(event)

    def _rebase(self, now: float) -> None:
        account, _ = _reduce(self._base, self._pending, now)
        self._set(account, now)
        self.announce()

    async def _read(self) -> Stored:
        stored = await self._fetch()
        try:
            account = self._localise(stored)
        except StoreFormatError:
            raise
        except StoreContentError as problem:
            if not await self._parts.store.set_aside(
                self._parts.name, stored.revision, str(problem)
            ):
                raise
            stored = await self._fetch()
            account = self._localise(stored)
        self._base = account
        self._revision = stored.revision
        self._note_up()
        self._rebase(self._clock.now())
        return stored

    async def _fetch(self) -> Stored:
        before = self._clock.now()
        stored = await self._parts.store.read(self._parts.name)
        # The store's moment lies somewhere in between.
        self._delta = (before + self._clock.now()) / 2 - stored.now
        return stored

    def _localise(self, stored: Stored) -> Account:
        if stored.document is None:
            return self._anew(self._clock.now())
        if stored.revision == self._revision and stored.document.get("epoch") == self._base.epoch:
            # Nobody wrote since: its moments are known by our own clock, which does not jump.
            return self._base
        account = decode(stored.document, self._parts.identities, self._delta)
        return _pin(clamp(account, self._clock.now()), self._base)

    def _anew(self, now: float) -> Account:
        """The store lost the document: what this replica holds is put back under a new epoch."""
        if self._base.generation:
            return replace(self._base, epoch=self._parts.new_epoch())
        return ledger_rules.empty(self._parts.new_epoch(), tuple(self._parts.identities), now)

    def _note_down(self, problem: StoreError) -> None:
        if not self.store_problem:
            self._parts.tell(StoreDown(str(problem)))
        self.store_problem = str(problem)
        # What happened is told now: when the store will have it is unknown.
        _, events = _reduce(self._base, self._pending, self._clock.now())
        self._tell(events[self._told :])
        self._told = len(self._pending)

    def _note_up(self) -> None:
        if self.store_problem:
            self.store_problem = ""
            self._parts.tell(StoreUp())

    def store_failed(self, problem: StoreError) -> None:
        """Somebody else met the store's failure."""
        self._note_down(problem)

    async def close(self) -> None:
        """Write what is pending, if the store takes it, and stop."""
        flusher = self._flusher
        if flusher is not None and not flusher.done():
            if self.store_problem:
                flusher.cancel()
            await asyncio.wait([flusher], timeout=STORE_PAUSE)
            flusher.cancel()
            await asyncio.wait([flusher])


def _reduce(
    account: Account, changes: Iterable[Change], now: float
) -> tuple[Account, list[tuple[TokenEvent, ...]]]:
    """The account after all changes, and the events of each."""
    events = []
    account = ledger_rules.advance(account, now)
    for change in changes:
        account, told = change(account, now)
        events.append(told)
    return account, events


def _pin(account: Account, known: Account) -> Account:
    """A token's life, once measured by this replica's clock, is not measured again by the
    store's: a jump of that clock must end no token early and lend none a longer life.
    """
    if account.epoch != known.epoch:
        return account
    lives = {slot.token.generation: slot.token for slot in known.slots if slot.token}
    slots = tuple(
        replace(
            slot,
            token=replace(
                slot.token,
                issued_at=lives[slot.token.generation].issued_at,
                expires_at=lives[slot.token.generation].expires_at,
            ),
        )
        if slot.token and slot.token.generation in lives
        else slot
        for slot in account.slots
    )
    return replace(account, slots=slots)
