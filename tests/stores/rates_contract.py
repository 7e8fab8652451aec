"""What every store of the schedule must do: one suite for all of them."""

import asyncio
from typing import Protocol

import pytest

from gateway.core.plans import Limit, Pool
from gateway.core.rate_book import GONE, HORIZON, PERIOD, Ask
from gateway.ports import RateStore

TWENTY = Limit(20, 1.0)
SLOW = Limit(5, 60.0)
"""A minute's: no test takes so long that the time that passes counts."""


class RatesBench(Protocol):
    """A store under test."""

    def connect(self) -> RateStore:
        """What another replica sees of the same schedule."""

    async def pass_time(self, seconds: float) -> None:
        """Move the store's clock on."""

    async def spoil(self) -> None:
        """Make what is kept of the account `acc` unreadable."""


def asking(calls: int, limit: Limit = SLOW, caller: str = "a") -> dict[str, Ask]:
    return {"light": Ask(limit, wants={caller: calls})}


class RatesContract:
    @pytest.fixture
    def one(self, bench: RatesBench) -> RateStore:
        return bench.connect()

    @pytest.fixture
    def other(self, bench: RatesBench) -> RateStore:
        return bench.connect()

    async def test_who_asks_gets_moments_in_the_stores_time(self, one: RateStore) -> None:
        now, shares = await one.reserve("acc", "one", asking(1))
        (moment,) = shares["light"].moments
        at, caller = moment
        assert at == pytest.approx(now, abs=1e-3)
        assert caller == "a"

    async def test_replicas_share_a_limit(self, one: RateStore, other: RateStore) -> None:
        stock = {"light": Ask(SLOW, stock=2)}
        given = [
            len((await store.reserve("acc", name, stock)).shares["light"].stock)
            for name, store in (("one", one), ("other", other))
        ]
        assert given == [2, 1]

    async def test_accounts_share_nothing(self, one: RateStore, other: RateStore) -> None:
        for store, account in ((one, "acc"), (other, "sales")):
            found = await store.reserve(account, "one", {"light": Ask(SLOW, stock=3)})
            assert len(found.shares["light"].stock) == 3

    async def test_many_that_ask_at_once_get_no_more_than_the_limit(
        self, one: RateStore, other: RateStore
    ) -> None:
        asks = [
            store.reserve("acc", f"replica-{number}", asking(5))
            for number, store in enumerate([one, other] * 6)
        ]
        found = await asyncio.gather(*asks)
        moments = [at for _, shares in found for at, _ in shares["light"].moments]
        assert len(moments) == 1

    async def test_the_stores_time_decides(
        self, bench: RatesBench, one: RateStore, other: RateStore
    ) -> None:
        before = await one.reserve("acc", "one", asking(1))
        await bench.pass_time(70.0)
        after = await other.reserve("acc", "other", asking(1))
        assert after.now - before.now == pytest.approx(70, abs=5)
        assert len(after.shares["light"].moments) == 1

    async def test_what_is_not_taken_goes_to_others(
        self, bench: RatesBench, one: RateStore, other: RateStore
    ) -> None:
        await one.reserve("acc", "one", asking(100, TWENTY))
        await bench.pass_time(GONE + PERIOD)
        found = await other.reserve("acc", "other", asking(100, TWENTY, "b"))
        moments = found.shares["light"].moments
        assert {caller for _, caller in moments} == {"b"}
        assert len(moments) >= 5
        assert max(at for at, _ in moments) <= found.now + HORIZON

    async def test_the_calls_of_a_day_are_counted_for_all(
        self, one: RateStore, other: RateStore
    ) -> None:
        heavy = {"heavy": Ask(TWENTY, Pool("day", 4), {"a": 3})}
        first = await one.reserve("acc", "one", heavy)
        second = await other.reserve("acc", "other", heavy)
        assert [len(found.shares["heavy"].moments) for found in (first, second)] == [3, 1]
        assert second.shares["heavy"].opens is not None

    async def test_what_cannot_be_read_begins_anew(
        self, bench: RatesBench, one: RateStore, other: RateStore
    ) -> None:
        await one.reserve("acc", "one", asking(1))
        await bench.spoil()
        assert len((await other.reserve("acc", "other", asking(1))).shares["light"].moments) == 1
