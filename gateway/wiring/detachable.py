"""A manager's own way to the store, which can be cut."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from gateway.core.presence import Presence
from gateway.ports import Clock, Lease, Stamp, Stored, TokenStore
from gateway.stores import record as rules
from gateway.stores.record import Record

T = TypeVar("T")


class Detachable:
    """Implements `TokenStore` for one account. Cut, it goes on from what the store held last.

    A manager whose account got other slots or credentials serves the calls it has in hand with
    what it holds. To its successor, what it would write were the tokens of a stranger, and the
    other way round: each would mint again and again.
    """

    def __init__(self, store: TokenStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._cut = asyncio.Event()
        self._record = Record()
        self._offset = 0.0
        """What turns the clock's time into the store's."""

    def detach(self) -> None:
        """Cut the way. What the store holds is not touched from here any more."""
        self._cut.set()

    async def read(self, account: str) -> Stored:
        if self._cut.is_set():
            return self._record.stored(self._now())
        stored = await self._store.read(account)
        if self._cut.is_set():  # meanwhile: this may be the successor's
            return self._record.stored(self._now())
        self._offset = stored.now - self._clock.now()
        self._record = Record(stored.document, stored.revision, stored.fence)
        return stored

    async def write(
        self,
        account: str,
        document: dict[str, Any],
        *,
        revision: Stamp,
        fence: Stamp | None = None,
    ) -> Stamp | None:
        if self._cut.is_set():
            return self._alone(lambda old: rules.write(old, document, revision, fence))
        written = await self._store.write(account, document, revision=revision, fence=fence)
        if written is not None:
            self._record = Record(document, written, self._record.fence)
        return written

    async def acquire(self, account: str, owner: str, ttl: float) -> Lease | None:
        if self._cut.is_set():
            return self._alone(lambda old: rules.acquire(old, account, owner, ttl, self._now()))
        return await self._store.acquire(account, owner, ttl)

    async def renew(self, lease: Lease, ttl: float) -> bool:
        if self._cut.is_set():
            return self._alone(lambda old: rules.renew(old, lease, ttl, self._now()))
        return await self._store.renew(lease, ttl)

    async def release(self, lease: Lease) -> None:
        if self._cut.is_set():
            self._alone(lambda old: rules.release(old, lease))
        # One that was taken before the cut is given back there, too: the successor waits for it.
        await self._store.release(lease)

    async def set_aside(self, account: str, revision: Stamp, problem: str) -> bool:
        if self._cut.is_set():
            return False
        return await self._store.set_aside(account, revision, problem)

    async def changed(self, account: str, revision: Stamp) -> None:
        """After the cut nobody else writes here."""
        watching = asyncio.ensure_future(self._store.changed(account, revision))
        cut = asyncio.ensure_future(self._cut.wait())
        try:
            await asyncio.wait({watching, cut}, return_when=asyncio.FIRST_COMPLETED)
            if not self._cut.is_set():
                watching.result()
                return
        finally:
            watching.cancel()
            cut.cancel()
            await asyncio.gather(watching, cut, return_exceptions=True)
        await asyncio.get_running_loop().create_future()

    async def beat(self, presence: Presence) -> list[Presence]:
        return await self._store.beat(presence)

    async def leave(self, name: str) -> None:
        await self._store.leave(name)

    async def close(self) -> None:
        """The store itself is closed by who made it."""

    def _now(self) -> float:
        return self._clock.now() + self._offset

    def _alone(self, change: Callable[[Record], tuple[Record, T]]) -> T:
        self._record, result = change(self._record)
        return result
