"""What every store must do: one suite for all of them.

A store's test file subclasses `StoreContract` and gives it a `bench`.
"""

import asyncio
from typing import Any, Protocol

import pytest

from gateway.ports import Lease, TokenStore

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


async def acquired(store: TokenStore, owner: str, account: str = "acc", ttl: float = 3.0) -> Lease:
    lease = await store.acquire(account, owner, ttl)
    assert lease is not None
    return lease


class StoreContract:
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

    # Documents.

    async def test_of_an_unknown_account_there_is_nothing(self, one: TokenStore) -> None:
        found = await one.read("acc")
        assert (found.document, found.revision, found.lease_owner, found.fence) == (
            None,
            0,
            None,
            0,
        )

    async def test_what_one_writes_the_other_reads(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        assert await one.write("acc", DOCUMENT, revision=0)
        found = await other.read("acc")
        assert (found.document, found.revision) == (DOCUMENT, 1)

    async def test_every_write_moves_the_revision_by_one(self, one: TokenStore) -> None:
        for revision in range(5):
            assert await one.write("acc", {"n": revision}, revision=revision)
            found = await one.read("acc")
            assert (found.document, found.revision) == ({"n": revision}, revision + 1)

    @pytest.mark.parametrize("stale", [0, 1, 3, -1])
    async def test_a_write_with_another_revision_changes_nothing(
        self, one: TokenStore, other: TokenStore, stale: int
    ) -> None:
        await one.write("acc", {"n": 1}, revision=0)
        await one.write("acc", {"n": 2}, revision=1)
        assert not await other.write("acc", {"n": 3}, revision=stale)
        found = await one.read("acc")
        assert (found.document, found.revision) == ({"n": 2}, 2)

    async def test_nothing_is_written_over_a_document_that_never_was(self, one: TokenStore) -> None:
        assert not await one.write("acc", {"n": 1}, revision=7)
        assert (await one.read("acc")).document is None

    async def test_of_many_writers_at_once_exactly_one_wins(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        writes = [
            store.write("acc", {"n": number}, revision=0)
            for number, store in enumerate([one, other] * 5)
        ]
        done = await asyncio.gather(*writes)
        assert done.count(True) == 1
        found = await one.read("acc")
        assert (found.document, found.revision) == ({"n": done.index(True)}, 1)

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
        await one.write("a", {"of": "a"}, revision=0)
        lease = await acquired(one, "one", "a")
        assert (await other.read("b")).revision == 0
        assert await other.write("b", {"of": "b"}, revision=0)
        assert (await acquired(other, "two", "b")).account == "b"
        found = await one.read("a")
        assert (found.document, found.lease_owner, found.fence) == (
            {"of": "a"},
            "one",
            lease.fence,
        )

    # Leases.

    async def test_a_lease_names_its_account_and_owner(self, one: TokenStore) -> None:
        lease = await acquired(one, "one")
        assert (lease.account, lease.owner) == ("acc", "one")
        assert lease.fence >= 1

    async def test_while_one_holds_the_lease_nobody_gets_it(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        await acquired(one, "one")
        assert await other.acquire("acc", "two", 3.0) is None
        await bench.pass_time(2.5)
        assert await other.acquire("acc", "two", 3.0) is None

    async def test_of_many_that_want_it_at_once_exactly_one_gets_it(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        wanted = [
            store.acquire("acc", f"replica-{number}", 3.0)
            for number, store in enumerate([one, other] * 5)
        ]
        leases = [lease for lease in await asyncio.gather(*wanted) if lease]
        assert len(leases) == 1
        assert (await one.read("acc")).lease_owner == leases[0].owner

    async def test_a_lease_ends_by_time(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        await acquired(one, "one")
        await bench.pass_time(3.5)
        assert (await other.read("acc")).lease_owner is None
        await acquired(other, "two")

    async def test_a_reader_sees_who_holds_it(self, one: TokenStore, other: TokenStore) -> None:
        lease = await acquired(one, "one")
        found = await other.read("acc")
        assert (found.lease_owner, found.fence) == ("one", lease.fence)
        await one.release(lease)
        found = await other.read("acc")
        assert (found.lease_owner, found.fence) == (None, lease.fence)

    async def test_fences_grow_whether_a_lease_ended_or_was_given_back(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        first = await acquired(one, "one")
        await one.release(first)
        second = await acquired(other, "two")
        await bench.pass_time(3.5)
        third = await acquired(one, "one")
        assert first.fence < second.fence < third.fence

    async def test_a_lease_that_was_not_granted_uses_up_no_fence(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        assert await other.acquire("acc", "two", 3.0) is None
        assert (await one.read("acc")).fence == lease.fence

    async def test_the_owner_renews_its_lease(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        for _ in range(3):
            await bench.pass_time(2.0)
            assert await one.renew(lease, 3.0)
        assert await other.acquire("acc", "two", 3.0) is None
        await bench.pass_time(3.5)
        await acquired(other, "two")

    async def test_an_overdue_lease_that_nobody_took_is_still_its_owners(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        await bench.pass_time(9.0)
        assert await one.renew(lease, 3.0)
        assert await other.acquire("acc", "two", 3.0) is None

    async def test_a_lease_that_was_taken_over_is_not_renewed(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        await bench.pass_time(3.5)
        await acquired(other, "two")
        assert not await one.renew(lease, 3.0)
        assert (await one.read("acc")).lease_owner == "two"

    async def test_a_lease_that_was_given_back_is_not_renewed(self, one: TokenStore) -> None:
        lease = await acquired(one, "one")
        await one.release(lease)
        assert not await one.renew(lease, 3.0)
        assert (await one.read("acc")).lease_owner is None

    async def test_only_the_owner_renews_or_gives_back(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        for strange in (
            Lease("acc", "two", lease.fence),
            Lease("acc", "one", lease.fence - 1),
            Lease("acc", "one", lease.fence + 1),
        ):
            assert not await other.renew(strange, 60.0)
            await other.release(strange)
        assert (await one.read("acc")).lease_owner == "one"

    async def test_a_late_release_leaves_the_next_owners_lease_alone(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        old = await acquired(one, "one")
        await bench.pass_time(3.5)
        new = await acquired(one, "one")
        await one.release(old)
        assert await other.acquire("acc", "two", 3.0) is None
        await one.release(new)
        await acquired(other, "two")
        await one.release(new)
        assert (await one.read("acc")).lease_owner == "two"

    # Documents under a lease.

    async def test_the_holder_publishes_under_its_fence(self, one: TokenStore) -> None:
        lease = await acquired(one, "one")
        assert await one.write("acc", {"n": 1}, revision=0, fence=lease.fence)
        assert await one.write("acc", {"n": 2}, revision=1, fence=lease.fence)
        assert (await one.read("acc")).document == {"n": 2}

    async def test_a_fence_does_not_stand_in_for_the_revision(self, one: TokenStore) -> None:
        lease = await acquired(one, "one")
        assert await one.write("acc", {"n": 1}, revision=0)
        assert not await one.write("acc", {"n": 2}, revision=0, fence=lease.fence)

    async def test_an_old_holder_publishes_nothing(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        old = await acquired(one, "one")
        await bench.pass_time(3.5)
        new = await acquired(other, "two")
        assert not await one.write("acc", {"by": "one"}, revision=0, fence=old.fence)
        assert (await one.read("acc")).document is None
        assert await other.write("acc", {"by": "two"}, revision=0, fence=new.fence)
        await other.release(new)
        assert not await one.write("acc", {"by": "one"}, revision=1, fence=old.fence)
        assert (await one.read("acc")).document == {"by": "two"}

    async def test_a_holder_whose_lease_ended_but_was_not_taken_over_publishes(
        self, bench: Bench, one: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        await bench.pass_time(9.0)
        assert await one.write("acc", {"n": 1}, revision=0, fence=lease.fence)

    async def test_a_mark_needs_no_fence_whoever_holds_the_lease(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        assert await other.write("acc", {"n": 1}, revision=0)
        found = await one.read("acc")
        assert (found.lease_owner, found.fence) == ("one", lease.fence)

    async def test_a_lease_does_not_move_the_revision(self, one: TokenStore) -> None:
        await one.write("acc", {"n": 1}, revision=0)
        lease = await acquired(one, "one")
        await one.renew(lease, 3.0)
        await one.release(lease)
        found = await one.read("acc")
        assert (found.document, found.revision) == ({"n": 1}, 1)

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
        await other.write("acc", {"n": 1}, revision=0)
        async with asyncio.timeout(PATIENCE):
            await one.changed("acc", 0)
            await one.changed("acc", 7)

    async def test_all_who_wait_for_news_wake_on_anothers_write(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            for store in (one, one, other):
                group.create_task(store.changed("acc", 0))
            await other.read("acc")
            await other.write("acc", {"n": 1}, revision=0)

    async def test_news_are_waited_for_again_and_again(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        async with asyncio.timeout(PATIENCE):
            for revision in range(3):
                waiting = asyncio.create_task(one.changed("acc", revision))
                await other.read("acc")
                await other.write("acc", {"n": revision}, revision=revision)
                await waiting

    async def test_who_stops_waiting_for_news_takes_them_from_nobody(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        async with asyncio.timeout(PATIENCE):
            leaving = asyncio.create_task(one.changed("acc", 0))
            staying = asyncio.create_task(one.changed("acc", 0))
            await other.read("acc")
            leaving.cancel()
            await asyncio.wait([leaving])
            await other.write("acc", {"n": 1}, revision=0)
            await staying

    # Trouble.

    async def test_content_that_is_set_aside_is_out_of_the_way_or_stays(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        await one.write("acc", {"n": 1}, revision=0)
        moved = await one.set_aside("acc", 1, "nobody can read it")
        found = await other.read("acc")
        assert found.document == (None if moved else {"n": 1})
        assert await other.write("acc", {"n": 2}, revision=found.revision)
        assert (await one.read("acc")).document == {"n": 2}

    async def test_what_another_wrote_meanwhile_is_not_set_aside(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        await one.write("acc", {"n": 1}, revision=0)
        await other.write("acc", {"n": 2}, revision=1)
        await one.set_aside("acc", 1, "nobody can read it")
        assert (await one.read("acc")).document == {"n": 2}

    async def test_a_fence_outlives_content_that_is_set_aside(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await one.acquire("acc", "one", 3.0)
        assert lease is not None
        await one.write("acc", {"n": 1}, revision=0)
        await other.set_aside("acc", 1, "nobody can read it")
        assert (await one.read("acc")).fence == lease.fence

    async def test_a_lease_outlives_content_that_is_set_aside(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await one.acquire("acc", "one", 3.0)
        assert lease is not None
        await one.write("acc", {"n": 1}, revision=0)
        await other.set_aside("acc", 1, "nobody can read it")
        assert await other.acquire("acc", "other", 3.0) is None
        revision = (await one.read("acc")).revision
        assert await one.write("acc", {"n": 2}, revision=revision, fence=lease.fence)
        assert await one.renew(lease, 3.0)

    async def test_setting_nothing_aside_does_no_harm(self, one: TokenStore) -> None:
        await one.set_aside("acc", 0, "nothing there")
        assert (await one.read("acc")).revision == 0

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
        await one.write("acc", {"n": 1}, revision=0)
        lease = await acquired(one, "one")
        late = bench.connect()
        assert (await late.read("acc")).lease_owner == lease.owner
        await late.close()
        assert (await one.read("acc")).document == {"n": 1}
