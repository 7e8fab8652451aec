"""What every store must do with leases, and with what is written under them."""

import asyncio

from gateway.ports import NOTHING, Lease, Stamp, TokenStore
from tests.stores.contract_bench import Bench, WithBench, acquired, written


class LeaseContract(WithBench):
    async def test_a_lease_names_its_account_and_owner(self, one: TokenStore) -> None:
        lease = await acquired(one, "one")
        assert (lease.account, lease.owner) == ("acc", "one")
        assert lease.fence.number >= 1
        assert lease.fence.tag

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
        assert first.fence.number < second.fence.number < third.fence.number

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
            Lease("acc", "one", Stamp(lease.fence.number - 1, lease.fence.tag)),
            Lease("acc", "one", Stamp(lease.fence.number + 1, lease.fence.tag)),
            Lease("acc", "one", Stamp(lease.fence.number, "other")),
            Lease("acc", "one", NOTHING),
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
        revision = await written(one, {"n": 1}, fence=lease.fence)
        await written(one, {"n": 2}, revision, fence=lease.fence)
        assert (await one.read("acc")).document == {"n": 2}

    async def test_a_fence_does_not_stand_in_for_the_revision(self, one: TokenStore) -> None:
        lease = await acquired(one, "one")
        await written(one, {"n": 1})
        assert not await one.write("acc", {"n": 2}, revision=NOTHING, fence=lease.fence)

    async def test_nothing_is_published_under_a_fence_that_was_not_given_out(
        self, one: TokenStore
    ) -> None:
        assert not await one.write("acc", {}, revision=NOTHING, fence=Stamp(1, "a"))
        lease = await acquired(one, "one")
        for strange in (NOTHING, Stamp(lease.fence.number, "other")):
            assert not await one.write("acc", {}, revision=NOTHING, fence=strange)

    async def test_an_old_holder_publishes_nothing(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        old = await acquired(one, "one")
        await bench.pass_time(3.5)
        new = await acquired(other, "two")
        assert not await one.write("acc", {"by": "one"}, revision=NOTHING, fence=old.fence)
        assert (await one.read("acc")).document is None
        revision = await written(other, {"by": "two"}, fence=new.fence)
        await other.release(new)
        assert not await one.write("acc", {"by": "one"}, revision=revision, fence=old.fence)
        assert (await one.read("acc")).document == {"by": "two"}

    async def test_a_holder_whose_lease_ended_but_was_not_taken_over_publishes(
        self, bench: Bench, one: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        await bench.pass_time(9.0)
        await written(one, {"n": 1}, fence=lease.fence)

    async def test_a_mark_needs_no_fence_whoever_holds_the_lease(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        await written(other, {"n": 1})
        found = await one.read("acc")
        assert (found.lease_owner, found.fence) == ("one", lease.fence)

    async def test_a_lease_does_not_move_the_revision(self, one: TokenStore) -> None:
        revision = await written(one, {"n": 1})
        lease = await acquired(one, "one")
        await one.renew(lease, 3.0)
        await one.release(lease)
        found = await one.read("acc")
        assert (found.document, found.revision) == ({"n": 1}, revision)
