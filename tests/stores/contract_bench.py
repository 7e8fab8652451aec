"""What the suites of the contract share: a store under test, and short ways to use it."""

from typing import Any, Protocol

import pytest

from gateway.core.presence import Presence
from gateway.ports import NOTHING, Lease, Stamp, TokenStore

PATIENCE = 10.0
"""Seconds in which a real store must answer; no test waits for them to pass."""

DOCUMENT: dict[str, Any] = {
    "format": 1,
    "text": 'ü "quoted" \u2028 \n',
    "numbers": [0, -1, 1_700_000_000.25, 2**53],
    "nested": {"none": None, "true": True, "empty": {}, "list": [[], [1, "two"]]},
}


class Bench(Protocol):
    """A store under test."""

    def connect(self) -> TokenStore:
        """What another replica sees of the same data."""

    async def pass_time(self, seconds: float) -> None:
        """Move the store's clock on."""

    async def snapshot(self) -> object:
        """What the store holds now."""

    async def restore(self, snapshot: object) -> None:
        """Lose what was written since."""

    async def spoil_replicas(self) -> None:
        """Make what is kept of the replicas unreadable, or parts of it."""


async def written(
    store: TokenStore,
    document: dict[str, Any],
    revision: Stamp = NOTHING,
    fence: Stamp | None = None,
) -> Stamp:
    stamp = await store.write("acc", document, revision=revision, fence=fence)
    assert stamp is not None
    return stamp


def presence(name: str, generation: int = 1) -> Presence:
    return Presence(name, "1.2.3", "10.0.0.1:8080", 1_700_000_000.5, {"acc": generation})


async def shown(store: TokenStore, name: str) -> list[str]:
    """The names that a heartbeat of `name` gives."""
    return [one.name for one in await store.beat(presence(name))]


async def acquired(store: TokenStore, owner: str, account: str = "acc", ttl: float = 3.0) -> Lease:
    lease = await store.acquire(account, owner, ttl)
    assert lease is not None
    return lease


class WithBench:
    """Two replicas of one store; `bench` is the store's."""

    @pytest.fixture
    def bench(self) -> Bench:
        raise NotImplementedError

    @pytest.fixture
    def one(self, bench: Bench) -> TokenStore:
        return bench.connect()

    @pytest.fixture
    def other(self, bench: Bench, one: TokenStore) -> TokenStore:
        del one
        return bench.connect()
