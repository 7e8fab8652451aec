"""A store that fails at a bad moment, and a manager that ends at one."""

import asyncio
from dataclasses import replace

from gateway.core.errors import MintFailure
from gateway.core.events import StoreDown, StoreUp
from gateway.stores.memory import MemoryStore
from tests.support.account import Fleet, load
from tests.support.failing_store import FailingStore
from tests.support.virtual_time import VirtualClock, virtual
from tests.support.zoom_in_memory import Zoom, failure


@virtual
async def test_a_store_that_is_down_is_not_called_up_before_it_answered() -> None:
    store = FailingStore(VirtualClock())
    store.down = True
    async with Fleet(Zoom(), store=store) as fleet:
        outcomes = await load(fleet, 5, 10)
        assert {outcome.seen for outcome in outcomes} == {"accepted"}
        assert len(fleet.told.of(StoreDown)) == 1
        assert not fleet.told.of(StoreUp)
        assert "store_down" in {one.code for one in fleet.manager.diagnoses()}
        store.down = False
        await asyncio.sleep(3)
        assert len(fleet.told.of(StoreUp)) == 1
        assert not fleet.manager.diagnoses()


@virtual
async def test_a_defect_at_the_first_look_leaves_a_minter() -> None:
    store = FailingStore(VirtualClock())
    store.defect = RuntimeError("a defect")
    async with Fleet(Zoom(), store=store) as fleet:
        assert (await fleet.call()).seen == "accepted"
        assert [str(defect) for defect in fleet.defects] == ["a defect"]
        fleet.defects.clear()


@virtual
async def test_what_is_pending_is_written_after_a_defect_too() -> None:
    store = FailingStore(VirtualClock())
    async with Fleet(Zoom(), store=store) as fleet:
        await fleet.call()
        await asyncio.sleep(1)
        broken = iter([RuntimeError("a defect")])

        async def breaks(*_: object) -> None:
            for defect in broken:
                raise defect

        store.before_write = breaks
        fleet.manager.ledger.apply(lambda account, _: (replace(account, fresh=1), ()))
        await asyncio.sleep(3)
        assert [str(defect) for defect in fleet.defects] == ["a defect"]
        fleet.defects.clear()
        document = (await store.read("default")).document
        assert document is not None
        assert document["fresh"] == 1


@virtual
async def test_where_none_is_minted_without_the_store_one_endpoint_ends_no_token() -> None:
    store, zoom = FailingStore(VirtualClock()), Zoom()
    async with Fleet(zoom, store=store, mint_in_outage=False) as fleet:
        await fleet.call()
        await asyncio.sleep(1)
        store.down = True
        await asyncio.sleep(5)
        zoom.refuses.add("GET /broken")
        healthy = asyncio.create_task(load(fleet, 20, 60))
        broken = await load(fleet, 1, 60, "GET /broken")
        assert {outcome.seen for outcome in broken} == {"refused"}
        assert {outcome.seen for outcome in await healthy} == {"accepted"}
        # Who is really dead stays so.
        zoom.kill()
        assert (await fleet.call()).seen == "refused"
        assert {outcome.seen for outcome in await load(fleet, 1, 10)} == {"unavailable"}
        store.down = False
        await asyncio.sleep(5)
        assert (await fleet.call()).seen == "accepted"
    assert len(zoom.mints) == 2


@virtual
async def test_a_token_that_was_minted_without_the_store_displaces_no_newer_one() -> None:
    clock = VirtualClock()
    shared = MemoryStore(clock)
    cut = FailingStore(clock, shared)
    zoom = Zoom(mint_latency=1.0)
    async with Fleet(zoom, store=cut, replica="one") as one:
        await asyncio.sleep(0.7)
        cut.down = True  # minted by now, and not published
        await asyncio.sleep(4)
        async with Fleet(zoom, store=shared, replica="two") as two:
            assert (await two.call()).seen == "accepted"
            newest = two.manager.ledger.token()
            cut.down = False
            await asyncio.sleep(3)
            assert one.manager.ledger.token() == newest
            assert (await one.call()).seen == "accepted"
            assert two.manager.ledger.token() == newest
    assert len(zoom.mints) == 2


@virtual
async def test_a_failure_that_another_replica_cured_is_not_told_any_more() -> None:
    clock = VirtualClock()
    shared = MemoryStore(clock)
    wrong, right = Zoom(), Zoom()
    wrong.mint_error = lambda _: failure(MintFailure.INVALID_CLIENT)
    async with Fleet(wrong, store=shared, replica="one") as one:
        await asyncio.sleep(1)
        async with Fleet(right, store=shared, replica="two") as two:
            assert (await two.call()).seen == "accepted"
        await one.manager.ledger.refresh()
        assert not one.manager.diagnoses()


@virtual
async def test_a_manager_that_ends_starts_no_mint_and_holds_nobody_up() -> None:
    zoom = Zoom(mint_error=lambda _: failure(MintFailure.SERVER_ERROR))
    fleet = Fleet(zoom)
    async with fleet:
        await asyncio.sleep(1)
        waiting = asyncio.create_task(fleet.call())
        await asyncio.sleep(0.1)
    zoom.mint_error = lambda _: None
    outcome = await waiting
    assert outcome.seen == "unavailable"
    assert not zoom.mints
