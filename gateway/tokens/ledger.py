"""This replica's copy of an account's document, and its way to the store.

A change is a pure function. It is applied to the local copy at once, so that no call waits for
the store, and kept until the store has it: a newer document from there is taken over and the
changes still pending are applied on top of it. While the store is down the copy goes on alone.
If the store lost what it had, the copy is put back, under a new epoch.
"""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from typing import Final

from gateway.core import account as ledger_rules
from gateway.core.account import Account, Change
from gateway.core.document import Document, Identities, clamp, decode, encode
from gateway.core.errors import StoreContentError, StoreError, StoreFormatError
from gateway.core.events import PutBack, TokenEvent
from gateway.core.history import behind
from gateway.core.token import Token
from gateway.ports import NOTHING, Claim, Clock, Lease, Stamp, Stored, TokenStore
from gateway.tokens.merging import pin, reduce, rejoin
from gateway.tokens.standing import StoreStanding

STORE_PAUSE: Final = 1.0
"""Seconds between attempts to use a store that is down."""

MOST_PENDING: Final = 500
"""Changes that are kept one by one while the store is down; then they are folded into one."""


class Commit(Enum):
    """What became of a change that was written under a lease."""

    DONE = auto()
    ENDED = auto()
    """Done, and the lease was given back."""
    TAKEN_OVER = auto()
    """Another replica has taken the lease since: nothing was written."""
    FORGOTTEN = auto()
    """The store lost the lease: nothing was written, and nobody need have taken over."""


@dataclass(frozen=True, slots=True)
class LedgerParts:
    """What a ledger works with, for one account."""

    name: str
    """The account's."""
    store: TokenStore
    identities: Identities
    clock: Clock
    tell: Callable[[TokenEvent], None]
    new_epoch: Callable[[], str]
    changed: Callable[[], None]
    """Told after every change of `account`. Must not wait, nor change it."""
    defect: Callable[[Exception], None]
    """Told of an error of the gateway's own."""


class Ledger:
    """One per account and replica. `account` is always the newest local view."""

    def __init__(self, parts: LedgerParts) -> None:
        self._parts = parts
        self._clock = parts.clock
        now = parts.clock.now()
        self._base = ledger_rules.empty(parts.new_epoch(), tuple(parts.identities), now)
        self._revision = NOTHING
        self._put_back = False
        """The store lost the document; `_base` is to be written there."""
        self._delta = 0.0
        self._pending: list[Change] = []
        self._told = 0
        """So many of the pending changes were told of already, while the store was down."""
        self._writing = asyncio.Lock()
        self._flusher: asyncio.Task[None] | None = None
        self._held_back = False
        """A commit is to come soon that takes along what is pending."""
        self._closed = False
        self._changed = asyncio.Event()
        self._token: Token | None = None
        self._token_until = 0.0
        self._watcher: asyncio.Task[None] | None = None
        self.account = self._base
        self.standing = StoreStanding(parts.tell)

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
        account, events = change(self.view(), now)
        if self.standing.problem and self._told == len(self._pending):
            # When the store will have it is unknown.
            self._tell([events])
            self._told += 1
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

    async def open(self) -> None:
        """Take the first look at the store, and follow it from then on. A fault is only noted."""
        try:
            await self.refresh()
        except StoreError as problem:
            self.standing.read_failed(problem)
        finally:
            self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            try:
                if self.standing.problem:
                    # Only a look shows that it works again: nobody need have written.
                    await self.refresh()
                known = self._revision
                await self._parts.store.changed(self._parts.name, known)
                if known == self._revision:
                    await self.refresh()
            except StoreError as problem:
                self.standing.read_failed(problem)
                await asyncio.sleep(STORE_PAUSE)
            except Exception as problem:  # noqa: BLE001  who does not follow is found too late
                self._parts.defect(problem)
                await asyncio.sleep(STORE_PAUSE)

    async def refresh(self) -> Stored:
        """Take over what the store holds. Raises StoreError."""
        async with self._writing:
            return await self._read()

    async def commit(self, change: Change, lease: Lease, *, ends: bool = False) -> Commit:
        """Write a change under a lease, and give that back with it if it `ends` so.

        Raises StoreError.
        """
        async with self._writing:
            return await self._push((change,), lease, ends=ends)

    async def seize(
        self, claim: Claim, change: Callable[[Stamp], Change]
    ) -> tuple[Lease | None, bool]:
        """Take the lease, and write a change with it at once, if nobody else has written since.

        `change` is given the lease's fence. Gives the lease, or None while another holds it, and
        whether the change is in the store; it is not if it changes nothing. Raises StoreError: it
        may be there all the same.
        """
        async with self._writing:
            pending, now, base = tuple(self._pending), self._clock.now(), self._base
            made: list[tuple[Account, list[tuple[TokenEvent, ...]]]] = []

            def compose(fence: Stamp) -> Document | None:
                before, _ = reduce(base, pending, now)
                after, told = reduce(base, (*pending, change(fence)), now)
                if after == before:
                    return None
                made.append((after, told))
                return encode(after, self._parts.identities, -self._delta)

            lease, written = await self._parts.store.seize(
                self._parts.name, claim, revision=self._revision, compose=compose
            )
            if written is None:
                return lease, False
            self._revision = written
            self.standing.write_worked()
            self._settle(made[-1][0], len(pending), made[-1][1], now)
            return lease, True

    @property
    def current(self) -> bool:
        """As far as is known, the store has what this replica knows, and can be used."""
        fine = not (self.standing.problem or self.standing.shut_out or self._put_back)
        return fine and self._revision != NOTHING

    def store_failed(self, problem: StoreError) -> None:
        """Somebody else met the store's failure."""
        self._note_down(problem)
        self._kick()

    def hold_back(self) -> None:
        """Write nothing by itself until `write_on`: what a refusal changed goes to the store with
        the note of the mint that it leads to, not before it. Only for as long as that takes.
        """
        self._held_back = True

    def write_on(self) -> None:
        """Write what is still pending."""
        self._held_back = False
        if self._owes:
            self._kick()

    def _kick(self) -> None:
        if self._closed:
            return  # nobody would end it
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())

    @property
    def _owes(self) -> bool:
        """The store has to be written to."""
        return bool(self._pending) or self._put_back or self.standing.must_write

    async def _flush(self) -> None:
        while self._owes and not self._held_back:
            try:
                async with self._writing:
                    await self._push((), None)
            except StoreError as problem:
                self._note_down(problem)
                self._fold()
                await asyncio.sleep(STORE_PAUSE)
            except Exception as problem:  # noqa: BLE001  what is pending must not wait for a call
                self._parts.defect(problem)
                await asyncio.sleep(STORE_PAUSE)

    async def _push(
        self, extra: tuple[Change, ...], lease: Lease | None, *, ends: bool = False
    ) -> Commit:
        """Compare and set until it holds, merging with what others wrote."""
        fence = None if lease is None else lease.fence
        while True:
            count = len(self._pending)
            now = self._clock.now()
            account, events = reduce(self._base, (*self._pending, *extra), now)
            if account == self._base and not (self._put_back or self.standing.must_write):
                return self._settle(account, count, events, now)
            document = encode(account, self._parts.identities, -self._delta)
            written = await self._parts.store.write(
                self._parts.name, document, revision=self._revision, fence=fence, ends=ends
            )
            if written is not None:
                self._revision = written
                self.standing.write_worked()
                self._settle(account, count, events, now)
                return Commit.ENDED if ends else Commit.DONE
            stored = await self._read()
            if fence is not None and stored.fence != fence:
                overtaken = stored.fence.number > fence.number
                return Commit.TAKEN_OVER if overtaken else Commit.FORGOTTEN

    def _settle(
        self, account: Account, count: int, events: list[tuple[TokenEvent, ...]], now: float
    ) -> Commit:
        """The first `count` pending changes are in the store, as `account` has it."""
        if self._put_back:
            self._put_back = False
            self._parts.tell(PutBack(account.generation))
        self._base = account
        told = min(self._told, count)
        del self._pending[:count]
        self._told -= told
        self._rebase(now)
        self._tell(events[told:])
        return Commit.DONE

    def _tell(self, events: list[tuple[TokenEvent, ...]]) -> None:
        for event in itertools.chain.from_iterable(events):
            self._parts.tell(event)

    def _rebase(self, now: float) -> None:
        account, _ = reduce(self._base, self._pending, now)
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
        self._put_back = self._lost(stored, account)
        if self._put_back:
            account = replace(self._base, epoch=self._parts.new_epoch())
        self._base = account
        self._revision = stored.revision
        self.standing.read_worked()
        self._rebase(self._clock.now())
        if self._put_back:
            self._kick()
        return stored

    async def _fetch(self) -> Stored:
        before = self._clock.now()
        stored = await self._parts.store.read(self._parts.name)
        # The store's moment lies somewhere in between.
        self._delta = (before + self._clock.now()) / 2 - stored.now
        return stored

    def _localise(self, stored: Stored) -> Account:
        if stored.document is None or stored.revision == self._revision:
            # Nobody wrote since: its moments are known by our own clock, which does not jump.
            return self._base
        account = decode(stored.document, self._parts.identities, self._delta)
        return pin(clamp(account, self._clock.now()), self._base)

    def _lost(self, stored: Stored, account: Account) -> bool:
        """The store does not know any more what this replica does."""
        if stored.revision == self._revision:
            return self._put_back
        if stored.document is None:
            return bool(self._base.generation)
        rewound = stored.revision.number <= self._revision.number
        return behind(account, self._base, rewound=rewound)

    def _note_down(self, problem: StoreError) -> None:
        self.standing.write_failed(problem)
        # What happened is told now: when the store will have it is unknown.
        _, events = reduce(self._base, self._pending, self._clock.now())
        self._tell(events[self._told :])
        self._told = len(self._pending)

    def _fold(self) -> None:
        """In a long outage: one change for all, that counts if the store knows no better."""
        if len(self._pending) > MOST_PENDING:
            account, _ = reduce(self._base, self._pending, self._clock.now())
            self._pending = [partial(rejoin, account)]
            self._told = 1

    async def close(self) -> None:
        """Write what is pending, if the store takes it, and stop. Later changes stay here."""
        self._closed = True
        flusher, watcher = self._flusher, self._watcher
        if watcher is not None:
            watcher.cancel()
            await asyncio.wait([watcher])
        if flusher is not None and not flusher.done():
            if self.standing.problem:
                flusher.cancel()
            await asyncio.wait([flusher], timeout=STORE_PAUSE)
            flusher.cancel()
            await asyncio.wait([flusher])
