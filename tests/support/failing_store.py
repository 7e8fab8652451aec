"""A store in memory that can be cut off, refuse, and lose what it was given."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.core.errors import StoreError, StoreUnavailableError
from gateway.core.presence import Presence
from gateway.ports import Claim, Clock, Compose, Lease, Seizure, Stamp, Stored
from gateway.stores import record as rules
from gateway.stores.memory import MemoryStore
from gateway.stores.record import Record

CUT = StoreUnavailableError("cut")


class FailingStore(MemoryStore):
    """One replica's way to a store that others reach as well.

    `read_fault` and `write_fault` are raised instead of an answer; `defect` once. `lost_answers`
    writes take place, but their answers do not arrive. `latency` gives the seconds of each way.
    """

    def __init__(self, clock: Clock, shared: MemoryStore | None = None) -> None:
        super().__init__(clock)
        if shared is not None:
            self._records, self._written = shared._records, shared._written
        self.read_fault: StoreError | None = None
        self.write_fault: StoreError | None = None
        self.defect: Exception | None = None
        self.lost_answers = 0
        self.before_write: Callable[[dict[str, Any], Stamp | None], Awaitable[None]] | None = None
        """Told the document and the fence of every write that is about to happen."""
        self.latency: Callable[[], float] = lambda: 0.0

    @property
    def down(self) -> bool:
        return self.read_fault is not None

    @down.setter
    def down(self, cut: bool) -> None:
        self.read_fault = self.write_fault = CUT if cut else None
        self._wake()

    def _wake(self) -> None:
        """A connection that breaks ends every wait."""
        for account in list(self._written):
            self._written.pop(account).set()

    def _check(self, fault: StoreError | None) -> None:
        if self.defect is not None:
            defect, self.defect = self.defect, None
            raise defect
        if fault is not None:
            raise fault

    async def _way(self, fault: StoreError | None) -> None:
        seconds = self.latency()
        if seconds:
            await asyncio.sleep(seconds)
        self._check(fault)

    # What happens to a server.

    def copy(self) -> dict[str, Record]:
        return dict(self._records)

    def become(self, records: dict[str, Record]) -> None:
        """Go back to a former state; `{}`: restarted empty."""
        self._records.clear()
        self._records.update(records)
        self._wake()

    # TokenStore.

    async def read(self, account: str) -> Stored:
        await self._way(self.read_fault)
        found = await super().read(account)
        await self._way(self.read_fault)
        return found

    async def write(
        self,
        account: str,
        document: dict[str, Any],
        *,
        revision: Stamp,
        fence: Stamp | None = None,
        ends: bool = False,
    ) -> Stamp | None:
        if self.before_write is not None:
            await self.before_write(document, fence)
        await self._way(self.write_fault)
        written = await super().write(account, document, revision=revision, fence=fence, ends=ends)
        if self.lost_answers and written:
            self.lost_answers -= 1
            raise CUT
        await self._way(self.write_fault)
        return written

    async def acquire(self, account: str, owner: str, ttl: float) -> Lease | None:
        await self._way(self.write_fault)
        lease = await super().acquire(account, owner, ttl)
        await self._way(self.write_fault)
        return lease

    async def seize(
        self, account: str, claim: Claim, *, revision: Stamp, compose: Compose
    ) -> Seizure:
        """In two steps, as a store does it that can be cut off between them."""
        await self._way(self.write_fault)
        now, (owner, ttl, tag) = self._clock.now(), claim
        lease = self._apply(account, lambda old: rules.acquire(old, account, owner, ttl, now, tag))
        await self._way(self.write_fault)
        document = None if lease is None else compose(lease.fence)
        if lease is None or document is None:
            return Seizure(lease)
        written = await self.write(account, document, revision=revision, fence=lease.fence)
        return Seizure(lease, written)

    async def renew(self, lease: Lease, ttl: float) -> bool:
        self._check(self.write_fault)
        return await super().renew(lease, ttl)

    async def release(self, lease: Lease) -> None:
        self._check(self.write_fault)
        await super().release(lease)

    async def changed(self, account: str, revision: Stamp) -> None:
        while True:
            self._check(self.read_fault)
            if (await super().read(account)).revision != revision:
                return
            await self._news(account)

    async def beat(self, presence: Presence) -> list[Presence]:
        await self._way(self.write_fault)
        return await super().beat(presence)
