"""An operator asks for a new token; and what a replica tells of the others' mints and the store."""

import asyncio
from contextlib import AsyncExitStack

from gateway.core.errors import MintFailure
from gateway.core.events import Adopted, Minted, MintFailed, StoreDown
from gateway.core.token import Cause
from gateway.stores.memory import MemoryStore
from tests.support.account import A0, A1, Fleet
from tests.support.replicas import replicas
from tests.support.virtual_time import VirtualClock, virtual
from tests.support.zoom_in_memory import Zoom, failure


@virtual
async def test_a_request_brings_a_token_into_the_other_slot() -> None:
    async with Fleet(Zoom(), (A0, A1)) as fleet:
        await fleet.call()
        asked = fleet.manager.request()
        assert (asked.began, asked.wait) == (True, 0.0)
        await asyncio.sleep(1)
        first, second = fleet.told.of(Minted)
        assert (first.slot, second.slot, second.cause) == (A0, A1, Cause.REQUEST)
        assert fleet.manager.generation == 2


@virtual
async def test_many_requests_cost_one_mint() -> None:
    async with Fleet(Zoom(mint_latency=2.0)) as fleet:
        await fleet.call()
        asked = [fleet.manager.request() for _ in range(10)]
        assert [one.began for one in asked] == [True] + [False] * 9
        await asyncio.sleep(1)  # it is under way
        assert not fleet.manager.request().began
        await asyncio.sleep(10)
        assert len(fleet.zoom.mints) == 2
        assert fleet.manager.request().began


@virtual
async def test_a_loop_of_requests_is_no_storm() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()
        waits = []
        for _ in range(1000):
            waits.append(fleet.manager.request().wait)
            await asyncio.sleep(0.02)
        assert len(fleet.zoom.mints) == 1 + 4
        assert waits[0] == 0
        assert 4.9 < max(waits) <= 5


@virtual
async def test_requests_on_two_replicas_at_once_are_one_mint() -> None:
    zoom, store = Zoom(mint_latency=1.0), MemoryStore(VirtualClock())
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(Fleet(zoom, (A0, A1), store, replica=name))
            for name in ("one", "other")
        ]
        await asyncio.gather(one.call(), other.call())
        one.manager.request()
        await asyncio.sleep(0.5)
        assert not other.manager.request().began
        await asyncio.sleep(10)
        assert len(zoom.mints) == 2
        assert one.manager.generation == other.manager.generation == 2


@virtual
async def test_a_request_that_reaches_the_store_after_anothers_mint_is_fulfilled_by_that() -> None:
    async with replicas(2, Zoom(life=3600), (A0, A1)) as fleet:
        one, other = fleet.all
        await fleet.load(1, 10)

        async def slow(*_: object) -> None:
            await asyncio.sleep(3)

        fleet.stores[1].before_write = slow
        assert one.manager.request().began
        assert other.manager.request().began
        await fleet.load(1, 20)
        assert len(one.zoom.mints) == 2
        assert fleet.generations() == [2, 2]


@virtual
async def test_a_request_outlives_a_token_that_was_set_aside_and_is_alive_after_all() -> None:
    zoom = Zoom(life=3600, latency=0.1, mint_latency=1.0)
    async with Fleet(zoom) as fleet:
        await fleet.call()
        zoom.mint_error = lambda _: failure(MintFailure.SERVER_ERROR)
        zoom.refuses.add("GET /broken")
        broken = asyncio.create_task(fleet.call("GET /broken"))
        await asyncio.sleep(0.5)
        assert fleet.manager.ledger.token() is None
        # While a mint is under way none is asked for; the probe that follows takes a while.
        while not fleet.manager.request().began:
            await asyncio.sleep(0.01)
        assert fleet.manager.ledger.token() is None
        assert (await broken).seen == "refused"
        zoom.mint_error = lambda _: None
        await asyncio.sleep(60)
        assert [one.cause for one in fleet.told.of(Minted)] == [Cause.START, Cause.REQUEST]
        # It is still known for what it is.
        assert (await fleet.call("GET /broken")).seen == "refused"
        assert len(zoom.mints) == 2


@virtual
async def test_a_request_while_mints_fail_tells_when_it_is_tried() -> None:
    zoom = Zoom()
    async with Fleet(zoom) as fleet:
        await fleet.call()
        zoom.mint_error = lambda _: failure(MintFailure.INVALID_CLIENT)
        fleet.manager.request()
        await asyncio.sleep(1)
        again = fleet.manager.request()
        assert not again.began
        assert 55 < again.wait <= 72
        zoom.mint_error = lambda _: None
        await asyncio.sleep(80)
        assert fleet.manager.generation == 2


@virtual
async def test_a_request_waits_for_the_store() -> None:
    async with replicas(2, Zoom(life=3600), (A0, A1)) as fleet:
        one, _ = fleet.all
        await fleet.load(1, 10)
        fleet.cut(down=True)
        await fleet.load(1, 10)
        assert one.manager.request().store_down
        await fleet.load(1, 60)
        assert len(one.zoom.mints) == 1
        fleet.cut(down=False)
        await fleet.load(1, 10)
        assert fleet.generations() == [2, 2]


@virtual
async def test_anothers_mint_is_told_once() -> None:
    zoom, store = Zoom(), MemoryStore(VirtualClock())
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(Fleet(zoom, (A0, A1), store, replica="one"))
        await one.call()
        other = await stack.enter_async_context(Fleet(zoom, (A0, A1), store, replica="other"))
        await other.call()
        assert not one.told.of(Adopted)
        assert other.told.of(Adopted) == [Adopted(A0, Cause.START, 1, "one")]
        other.manager.request()
        await asyncio.sleep(2)
        await asyncio.gather(*(fleet.call() for fleet in (one, other) for _ in range(5)))
        assert one.told.of(Adopted) == [Adopted(A1, Cause.REQUEST, 2, "other")]
        assert len(other.told.of(Adopted)) == 1


@virtual
async def test_since_when_the_store_is_down() -> None:
    async with replicas(1, Zoom(life=3600), (A0, A1)) as fleet:
        (one,) = fleet.all
        await fleet.load(1, 10)
        assert one.manager.chart().store_since is None
        fleet.cut(down=True)
        await fleet.load(1, 30)
        (began,) = [one.manager.chart().store_since for _ in fleet.told(StoreDown)[:1]]
        assert began is not None
        assert one.clock.now() - began > 20
        fleet.cut(down=False)
        await fleet.load(1, 10)
        assert one.manager.chart().store_since is None


@virtual
async def test_a_request_at_the_very_end_leaves_nothing_running() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()
    fleet.manager.request()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(fleet.zoom.mints) == 1


@virtual
async def test_since_when_mints_fail_counts_from_the_first_slot_that_failed_like_that() -> None:
    zoom = Zoom()
    zoom.mint_error = lambda _: failure(MintFailure.CONNECTION)
    async with Fleet(zoom, (A0, A1)) as fleet:
        began = fleet.manager.clock.now()
        await asyncio.sleep(60)
        failed = fleet.manager.chart().mint_failed
        assert failed is not None
        assert failed[0] - began < 0.1
        assert len(fleet.told.of(MintFailed)) > 2
        assert failed[1] == fleet.told.of(MintFailed)[-1]


@virtual
async def test_that_there_was_a_token_is_not_forgotten() -> None:
    zoom = Zoom(life=20)
    async with Fleet(zoom) as fleet:
        assert not fleet.manager.served
        await asyncio.sleep(1)
        zoom.mint_error = lambda _: failure(MintFailure.CONNECTION)
        await asyncio.sleep(30)
        assert fleet.manager.generation == 0
        assert fleet.manager.served
