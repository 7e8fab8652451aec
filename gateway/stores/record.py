"""What a store keeps for an account, and what each call of the contract does to it.

Pure but for the tags: the stores in memory and in files differ only in how they hold the record
while one of these functions runs. Times are the store's, in seconds.
"""

import secrets
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.ports import NOTHING, Claim, Compose, Lease, Seizure, Stamp, Stored

LONGEST_LEASE: Final = 60.0
"""Seconds. One that would last longer was written before the store's clock was set back."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a store has of one account."""

    document: dict[str, Any] | None = None
    revision: Stamp = NOTHING
    fence: Stamp = NOTHING
    """Of the newest lease given out."""
    lease_owner: str = ""
    lease_until: float = 0.0

    def held(self, now: float) -> bool:
        return bool(self.lease_owner) and now < self.lease_until <= now + LONGEST_LEASE

    def stored(self, now: float) -> Stored:
        owner = self.lease_owner if self.held(now) else None
        return Stored(self.document, self.revision, now, owner, self.fence)


def tag() -> str:
    """What makes a stamp one of its kind."""
    return secrets.token_hex(4)


def _after(stamp: Stamp, mark: str | None = None) -> Stamp:
    return Stamp(stamp.number + 1, tag() if mark is None else mark)


def write(
    record: Record,
    document: dict[str, Any],
    revision: Stamp,
    fence: Stamp | None,
    *,
    ends: bool = False,
) -> tuple[Record, Stamp | None]:
    if record.revision != revision or (fence is not None and fence != record.fence):
        return record, None
    written = _after(revision)
    record = replace(record, document=document, revision=written)
    return (_free(record) if ends else record), written


def set_aside(record: Record) -> Record:
    """Without its document. The lease and its fence stay: a former holder's must not look new."""
    return replace(record, document=None, revision=_after(record.revision))


def acquire(  # what all of the calls have, and a tag
    record: Record, account: str, owner: str, ttl: float, now: float, mark: str | None = None
) -> tuple[Record, Lease | None]:
    if record.held(now):
        return record, None
    fence = _after(record.fence, mark)
    taken = replace(record, fence=fence, lease_owner=owner, lease_until=now + ttl)
    return taken, Lease(account, owner, fence)


def seize(  # as the contract has it
    record: Record, account: str, claim: Claim, revision: Stamp, compose: Compose, now: float
) -> tuple[Record, Seizure]:
    taken, lease = acquire(record, account, claim.owner, claim.ttl, now, claim.tag)
    document = compose(taken.fence) if lease and record.revision == revision else None
    if document is None:
        return taken, Seizure(lease)
    taken, written = write(taken, document, revision, taken.fence)
    return taken, Seizure(lease, written)


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
    return _free(record), None


def _free(record: Record) -> Record:
    return replace(record, lease_owner="", lease_until=0.0)
