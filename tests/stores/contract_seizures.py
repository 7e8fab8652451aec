"""What every store must do where a lease is taken, and a document is written with it."""

from typing import Any

from gateway.ports import NOTHING, Claim, Stamp, TokenStore
from tests.stores.contract_bench import DOCUMENT, Bench, WithBench, acquired, written

CLAIM = Claim("one", 3.0, "abcd1234")


def naming(fence: Stamp) -> dict[str, Any]:
    return {**DOCUMENT, "text": str(fence)}


def never(_: Stamp) -> dict[str, Any]:
    raise AssertionError("nobody asked for a document")


class SeizureContract(WithBench):
    async def test_lease_and_document_come_together(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        revision = await written(one, DOCUMENT)
        lease, stamp = await one.seize("acc", CLAIM, revision=revision, compose=naming)
        assert lease is not None
        assert (lease.account, lease.owner, lease.fence.tag) == ("acc", "one", "abcd1234")
        found = await other.read("acc")
        assert (found.document, found.revision) == (naming(lease.fence), stamp)
        assert (found.lease_owner, found.fence) == ("one", lease.fence)

    async def test_over_what_another_wrote_meanwhile_only_the_lease_is_taken(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        revision = await written(one, DOCUMENT)
        newer = await written(other, {**DOCUMENT, "text": "newer"}, revision)
        lease, stamp = await one.seize("acc", CLAIM, revision=revision, compose=naming)
        assert lease is not None
        assert stamp is None
        found = await other.read("acc")
        assert (found.document, found.revision) == ({**DOCUMENT, "text": "newer"}, newer)
        assert found.lease_owner == "one"

    async def test_where_nothing_is_to_be_written_only_the_lease_is_taken(
        self, one: TokenStore
    ) -> None:
        revision = await written(one, DOCUMENT)
        lease, stamp = await one.seize("acc", CLAIM, revision=revision, compose=lambda _: None)
        assert lease is not None
        assert stamp is None
        assert (await one.read("acc")).revision == revision

    async def test_while_another_holds_the_lease_nothing_happens(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        revision = await written(one, DOCUMENT)
        held = await acquired(other, "two")
        assert await one.seize("acc", CLAIM, revision=revision, compose=never) == (None, None)
        found = await one.read("acc")
        assert (found.revision, found.lease_owner) == (revision, "two")
        assert found.fence == held.fence

    async def test_a_seized_lease_ends_by_time(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        revision = await written(one, DOCUMENT)
        await one.seize("acc", CLAIM, revision=revision, compose=naming)
        await bench.pass_time(3.5)
        await acquired(other, "two")

    async def test_a_write_may_give_the_lease_back(
        self, one: TokenStore, other: TokenStore
    ) -> None:
        lease = await acquired(one, "one")
        last = {**DOCUMENT, "text": "last"}
        assert await one.write("acc", last, revision=NOTHING, fence=lease.fence, ends=True)
        found = await other.read("acc")
        assert (found.document, found.lease_owner, found.fence) == (last, None, lease.fence)
        await acquired(other, "two")

    async def test_a_write_that_does_not_take_place_ends_no_lease(
        self, bench: Bench, one: TokenStore, other: TokenStore
    ) -> None:
        former = await acquired(one, "one")
        await bench.pass_time(3.5)
        await acquired(other, "two")
        late = await one.write("acc", DOCUMENT, revision=NOTHING, fence=former.fence, ends=True)
        assert late is None
        assert (await one.read("acc")).lease_owner == "two"
