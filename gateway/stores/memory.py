"""`memory:`: the tokens of one replica, gone when it ends."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from gateway.core.presence import Presence
from gateway.ports import Claim, Clock, Compose, Lease, Seizure, Stamp, Stored
from gateway.stores import presences
from gateway.stores import record as rules
from gateway.stores.record import Record

T = TypeVar("T")


class MemoryStore:
    """Implements `TokenStore`. No call waits, so each is atomic by itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, Record] = {}
        self._written: dict[str, asyncio.Event] = {}
        self._seen: presences.Seen = {}

    def _apply(self, account: str, change: Callable[[Record], tuple[Record, T]]) -> T:
        record, result = change(self._records.get(account, Record()))
        self._records[account] = record
        return result

    async def read(self, account: str) -> Stored:
        return self._records.get(account, Record()).stored(self._clock.now())

    async def write(
        self,
        account: str,
        document: dict[str, Any],
        *,
        revision: Stamp,
        fence: Stamp | None = None,
        ends: bool = False,
    ) -> Stamp | None:
        done = self._apply(
            account, lambda old: rules.write(old, document, revision, fence, ends=ends)
        )
        if done:
            self._tell(account)
        return done

    def _tell(self, account: str) -> None:
        self._written.pop(account, asyncio.Event()).set()

    async def acquire(self, account: str, owner: str, ttl: float) -> Lease | None:
        now = self._clock.now()
        return self._apply(account, lambda old: rules.acquire(old, account, owner, ttl, now))

    async def seize(
        self, account: str, claim: Claim, *, revision: Stamp, compose: Compose
    ) -> Seizure:
        now = self._clock.now()
        seized = self._apply(
            account, lambda old: rules.seize(old, account, claim, revision, compose, now)
        )
        if seized.written:
            self._tell(account)
        return seized

    async def renew(self, lease: Lease, ttl: float) -> bool:
        now = self._clock.now()
        return self._apply(lease.account, lambda old: rules.renew(old, lease, ttl, now))

    async def release(self, lease: Lease) -> None:
        self._apply(lease.account, lambda old: rules.release(old, lease))

    async def set_aside(self, account: str, revision: Stamp, problem: str) -> bool:
        """Content of this process cannot be of another format."""
        del account, revision, problem
        return False

    async def changed(self, account: str, revision: Stamp) -> None:
        while self._records.get(account, Record()).revision == revision:
            await self._news(account)

    async def _news(self, account: str) -> None:
        await self._written.setdefault(account, asyncio.Event()).wait()

    async def beat(self, presence: Presence) -> list[Presence]:
        self._seen, present = presences.beat(self._seen, presence, self._clock.now())
        return present

    async def leave(self, name: str) -> None:
        self._seen = presences.leave(self._seen, name)

    async def close(self) -> None:
        """Nothing to close."""
