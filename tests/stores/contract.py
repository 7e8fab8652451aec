"""What every store must do: one suite for all of them.

A store's test file subclasses `StoreContract` and gives it a `bench`.
"""

import asyncio

import pytest

from gateway.ports import NOTHING, Stamp, TokenStore
from tests.stores.contract_bench import (
    DOCUMENT,
    PATIENCE,
    Bench,
    WithBench,
    acquired,
    written,
)
from tests.stores.contract_fleet import LossContract, PresenceContract
from tests.stores.contract_leases import LeaseContract
from tests.stores.contract_seizures import SeizureContract

__all__ = ["Bench", "StoreContract"]


class DocumentContract(WithBench):
    async def test_of_an_unknown_account_there_is_nothing(self, one: TokenStore) -> None:
        found = await one.read("acc")
        assert found.document is None
        assert found.lease_owner is None
        assert found.revision == found.fence == NOTHING

    async def test_what_one_writes_the_other_reads(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        stamp = await written(one, DOCUMENT)
        found = await other.read("acc")
        assert (found.document, found.revision) == (DOCUMENT, stamp)

    async def test_every_write_gives_the_next_revision(self, one: TokenStore) -> None:
        revision = NOTHING
        for number in range(1, 6):
            revision = await written(one, {"n": number}, revision)
            assert revision.number == number
            found = await one.read("acc")
            assert (found.document, found.revision) == ({"n": number}, revision)

    async def test_no_two_histories_have_a_revision_in_common(self, one: TokenStore) -> None:
        stamps = [await one.write(name, {}, revision=NOTHING) for name in ("a", "b", "c")]
        assert None not in stamps
        assert len(set(stamps)) == 3

    async def test_a_write_with_another_revision_changes_nothing(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        first = await written(one, {"n": 1})
        second = await written(one, {"n": 2}, first)
        for stale in (
            NOTHING,
            first,
            Stamp(second.number, ""),
            Stamp(second.number, first.tag),
            Stamp(second.number + 1, second.tag),
            Stamp(-1, ""),
        ):
            assert await other.write("acc", {"n": 3}, revision=stale) is None
        found = await one.read("acc")
        assert (found.document, found.revision) == ({"n": 2}, second)

    async def test_nothing_is_written_over_a_document_that_never_was(self, one: TokenStore) -> None:
        assert await one.write("acc", {"n": 1}, revision=Stamp(7, "a")) is None
        assert await one.write("acc", {"n": 1}, revision=Stamp(0, "a")) is None
        assert (await one.read("acc")).document is None

    async def test_of_many_writers_at_once_exactly_one_wins(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        writes = [
            store.write("acc", {"n": number}, revision=NOTHING)
            for number, store in enumerate([one, other] * 5)
        ]
        done = await asyncio.gather(*writes)
        (won,) = [stamp for stamp in done if stamp is not None]
        found = await one.read("acc")
        assert (found.document, found.revision) == ({"n": done.index(won)}, won)

    async def test_writers_that_read_again_lose_no_write(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        async def count(store: TokenStore) -> None:
            for _ in range(10):
                while True:
                    found = await store.read("acc")
                    number = (found.document or {}).get("n", 0)
                    assert isinstance(number, int)
                    document: dict[str, object] = {"n": number + 1}
                    if await store.write("acc", document, revision=found.revision):
                        break

        await asyncio.gather(*(count(store) for store in (one, other, one)))
        assert (await one.read("acc")).document == {"n": 30}

    async def test_accounts_are_independent(self, one: TokenStore, other: TokenStore) -> None:
        await one.write("a", {"of": "a"}, revision=NOTHING)
        lease = await acquired(one, "one", "a")
        assert (await other.read("b")).revision == NOTHING
        assert await other.write("b", {"of": "b"}, revision=NOTHING)
        assert (await acquired(other, "two", "b")).account == "b"
        found = await one.read("a")
        assert (found.document, found.lease_owner, found.fence) == (
            {"of": "a"},
            "one",
            lease.fence,
        )

    # Time and news.

    async def test_its_time_passes(self, bench: Bench, one: TokenStore) -> None:
        before = (await one.read("acc")).now
        await bench.pass_time(5.0)
        assert (await one.read("acc")).now - before == pytest.approx(5.0, abs=1.0)

    async def test_all_replicas_read_the_same_time(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        assert (await one.read("acc")).now == pytest.approx((await other.read("acc")).now, abs=1.0)

    async def test_news_come_at_once_if_the_revision_differs_already(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        stamp = await written(other, {"n": 1})
        async with asyncio.timeout(PATIENCE):
            await one.changed("acc", NOTHING)
            await one.changed("acc", Stamp(7, "a"))
            await one.changed("acc", Stamp(stamp.number, "other"))

    async def test_all_who_wait_for_news_wake_on_anothers_write(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            for store in (one, one, other):
                group.create_task(store.changed("acc", NOTHING))
            await other.read("acc")
            await written(other, {"n": 1})

    async def test_news_are_waited_for_again_and_again(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        revision = NOTHING
        async with asyncio.timeout(PATIENCE):
            for number in range(3):
                waiting = asyncio.create_task(one.changed("acc", revision))
                await other.read("acc")
                revision = await written(other, {"n": number}, revision)
                await waiting

    async def test_who_stops_waiting_for_news_takes_them_from_nobody(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        async with asyncio.timeout(PATIENCE):
            leaving = asyncio.create_task(one.changed("acc", NOTHING))
            staying = asyncio.create_task(one.changed("acc", NOTHING))
            await other.read("acc")
            leaving.cancel()
            await asyncio.wait([leaving])
            assert leaving.cancelled()
            await written(other, {"n": 1})
            await staying

    # Trouble.

    async def test_content_that_is_set_aside_is_out_of_the_way_or_stays(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        stamp = await written(one, {"n": 1})
        moved = await one.set_aside("acc", stamp, "nobody can read it")
        found = await other.read("acc")
        assert found.document == (None if moved else {"n": 1})
        await written(other, {"n": 2}, found.revision)
        assert (await one.read("acc")).document == {"n": 2}

    async def test_what_another_wrote_meanwhile_is_not_set_aside(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        stamp = await written(one, {"n": 1})
        await written(other, {"n": 2}, stamp)
        await one.set_aside("acc", stamp, "nobody can read it")
        assert (await one.read("acc")).document == {"n": 2}

    async def test_a_fence_and_a_lease_outlive_content_that_is_set_aside(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        stamp = await written(one, {"n": 1})
        await other.set_aside("acc", stamp, "nobody can read it")
        assert await other.acquire("acc", "other", 3.0) is None
        found = await one.read("acc")
        assert found.fence == lease.fence
        await written(one, {"n": 2}, found.revision, fence=lease.fence)
        assert await one.renew(lease, 3.0)

    async def test_setting_nothing_aside_does_no_harm(self, one: TokenStore) -> None:
        await one.set_aside("acc", NOTHING, "nothing there")
        assert (await one.read("acc")).revision == NOTHING

    async def test_a_caller_that_goes_away_leaves_the_store_in_order(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        for _ in range(5):
            revision = (await one.read("acc")).revision
            writing = asyncio.create_task(one.write("acc", DOCUMENT, revision=revision))
            await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait([writing])
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await other.read("acc")
                if await other.write("acc", {"n": 1}, revision=found.revision):
                    break
        assert found.document in (None, DOCUMENT)
        assert (await one.read("acc")).document == {"n": 1}

    async def test_closing_one_replica_leaves_the_data_to_the_others(
        self, one: TokenStore, bench: Bench
    ) -> None:
        await written(one, {"n": 1})
        lease = await acquired(one, "one")
        late = bench.connect()
        assert (await late.read("acc")).lease_owner == lease.owner
        await late.close()
        assert (await one.read("acc")).document == {"n": 1}


class StoreContract(
    DocumentContract, LeaseContract, SeizureContract, LossContract, PresenceContract
):
    """All of it."""
