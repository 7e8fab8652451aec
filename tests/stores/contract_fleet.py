"""What every store must do when it lost its last writes, and for the replicas to see each other."""

import asyncio
from dataclasses import replace

import pytest

from gateway.core.presence import PRESENT
from gateway.ports import NOTHING, TokenStore
from tests.stores.contract_bench import (
    PATIENCE,
    Bench,
    WithBench,
    acquired,
    presence,
    shown,
    written,
)


class LossContract(WithBench):
    @pytest.mark.parametrize("rewritten", [False, True])
    async def test_a_rolled_back_store_takes_no_write_of_the_lost_history(
        self, bench: Bench, one: TokenStore, other: TokenStore, *, rewritten: bool
    ) -> None:
        first = await written(one, {"n": 1})
        before = await bench.snapshot()
        lost = await written(one, {"n": 2}, first)
        await bench.restore(before)
        if rewritten:
            again = await written(other, {"n": 3}, first)
            assert again.number == lost.number
        assert await one.write("acc", {"n": 4}, revision=lost) is None
        found = await other.read("acc")
        assert found.document == ({"n": 3} if rewritten else {"n": 1})
        await written(one, {"n": 5}, found.revision)

    @pytest.mark.parametrize("rewritten", [False, True])
    async def test_an_emptied_store_takes_no_write_of_the_lost_history(
        self, bench: Bench, one: TokenStore, other: TokenStore, *, rewritten: bool
    ) -> None:
        before = await bench.snapshot()
        lost = await written(one, {"n": 1})
        await bench.restore(before)
        if rewritten:
            await written(other, {"n": 2})
        assert await one.write("acc", {"n": 3}, revision=lost) is None
        assert (await other.read("acc")).document == ({"n": 2} if rewritten else None)

    @pytest.mark.parametrize("emptied", [False, True])
    async def test_a_lease_of_the_lost_history_is_none(
        self, bench: Bench, one: TokenStore, other: TokenStore, *, emptied: bool
    ) -> None:
        if not emptied:
            await one.release(await acquired(one, "zero"))
        before = await bench.snapshot()
        lost = await acquired(one, "one")
        await bench.restore(before)
        assert not await one.renew(lost, 3.0)
        again = await acquired(other, "one")
        assert again.fence.number == lost.fence.number
        assert not await one.renew(lost, 60.0)
        assert not await one.write("acc", {}, revision=NOTHING, fence=lost.fence)
        await one.release(lost)
        assert await one.acquire("acc", "two", 3.0) is None
        await written(other, {"n": 1}, fence=again.fence)

    async def test_who_waits_for_news_hears_that_they_were_lost(
        self, bench: Bench, one: TokenStore
    ) -> None:
        first = await written(one, {"n": 1})
        before = await bench.snapshot()
        second = await written(one, {"n": 2}, first)
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(one.changed("acc", second))
            await one.read("acc")
            await bench.restore(before)


class PresenceContract(WithBench):
    async def test_two_replicas_see_each_other(self, one: TokenStore, other: TokenStore) -> None:
        assert await shown(one, "b") == ["b"]
        assert await shown(other, "a") == ["a", "b"]
        assert await shown(one, "b") == ["a", "b"]

    async def test_a_replica_is_shown_as_it_was_at_its_last_heartbeat(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        await one.beat(presence("a", generation=1))
        await one.beat(presence("a", generation=2))
        await bench.pass_time(4.0)
        found, own = await other.beat(presence("b"))
        assert found.age == pytest.approx(4.0, abs=1.0)
        assert own.age == pytest.approx(0.0, abs=1.0)
        assert replace(found, age=0.0) == presence("a", generation=2)

    async def test_what_a_later_version_tells_of_itself_is_kept_for_its_like(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        newer = replace(presence("a"), extra={"zone": "b", "load": [1, {"of": None}]})
        await one.beat(newer)
        for name in ("b", "c"):
            await other.beat(presence(name))
        found, *_ = await one.beat(presence("d"))
        assert replace(found, age=0.0) == newer

    async def test_who_is_silent_is_forgotten(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        await shown(one, "a")
        await bench.pass_time(PRESENT - 2)
        assert await shown(other, "b") == ["a", "b"]
        await bench.pass_time(4)
        assert await shown(other, "b") == ["b"]
        assert await shown(one, "a") == ["a", "b"]

    async def test_who_leaves_takes_only_itself_away(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        for name in ("a", "b", "c"):
            await shown(one, name)
        await other.leave("b")
        await other.leave("unknown")
        assert await shown(one, "c") == ["a", "c"]

    async def test_unreadable_content_costs_no_heartbeat(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        await shown(one, "a")
        await bench.spoil_replicas()
        assert "b" in await shown(other, "b")
        assert await shown(one, "a") == ["a", "b"]
        await one.leave("a")
        assert await shown(other, "b") == ["b"]

    async def test_replicas_and_accounts_are_apart(self, one: TokenStore) -> None:
        for name in ("acc", "replicas"):
            await shown(one, name)
            assert (await one.read(name)).revision == NOTHING
            assert await one.write(name, {}, revision=NOTHING)
        assert await shown(one, "acc") == ["acc", "replicas"]
