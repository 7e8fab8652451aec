"""What a store keeps for an account, and what each call of the contract does to it.

Pure: the stores in memory and in files differ only in how they hold the record while one of
these functions runs. Times are the store's, in seconds.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.ports import Lease, Stored

LONGEST_LEASE: Final = 60.0
"""Seconds. One that would last longer was written before the store's clock was set back."""


@dataclass(frozen=True, slots=True)
class Record:
    document: dict[str, Any] | None = None
    revision: int = 0
    fence: int = 0
    """Of the newest lease given out."""
    lease_owner: str = ""
    lease_until: float = 0.0

    def held(self, now: float) -> bool:
        return bool(self.lease_owner) and now < self.lease_until <= now + LONGEST_LEASE

    def stored(self, now: float) -> Stored:
        owner = self.lease_owner if self.held(now) else None
        return Stored(self.document, self.revision, now, owner, self.fence)


def write(
    record: Record, document: dict[str, Any], revision: int, fence: int | None
) -> tuple[Record, bool]:
    if record.revision != revision or (fence is not None and fence != record.fence):
        return record, False
    return replace(record, document=document, revision=revision + 1), True


def acquire(
    record: Record, account: str, owner: str, ttl: float, now: float
) -> tuple[Record, Lease | None]:
    if record.held(now):
        return record, None
    fence = record.fence + 1
    taken = replace(record, fence=fence, lease_owner=owner, lease_until=now + ttl)
    return taken, Lease(account, owner, fence)


def _is_mine(record: Record, lease: Lease) -> bool:
    return record.lease_owner == lease.owner and record.fence == lease.fence


def renew(record: Record, lease: Lease, ttl: float, now: float) -> tuple[Record, bool]:
    """An overdue lease that nobody took meanwhile may still be renewed: its fence is the newest."""
    if not _is_mine(record, lease):
        return record, False
    return replace(record, lease_until=now + ttl), True


def release(record: Record, lease: Lease) -> tuple[Record, None]:
    if not _is_mine(record, lease):
        return record, None
    return replace(record, lease_owner="", lease_until=0.0), None
