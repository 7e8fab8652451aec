"""The store cannot be used: replicas go on with what they have; they mint alone if they must."""

import asyncio

import pytest

from gateway.core.errors import (
    MintFailure,
    StoreContentError,
    StoreError,
    StoreFormatError,
    StoreRefusedError,
    StoreUnavailableError,
)
from gateway.core.events import LostMint, Minted, StoreDown, StoreUp
from gateway.tokens import ledger
from tests.support.account import A0, A1, Fleet, load
from tests.support.failing_store import CUT, FailingStore
from tests.support.replicas import replicas
from tests.support.virtual_time import VirtualClock, virtual
from tests.support.zoom_in_memory import Zoom, failure


@virtual
async def test_while_the_token_is_valid_nobody_notices() -> None:
    zoom = Zoom(life=3600)
    async with replicas(4, zoom, (A0, A1)) as fleet:
        await fleet.load(1, 1700)
        fleet.cut(down=True)
        # Past the rotation, which waits for the store: it could kill what the others use.
        outcomes = await fleet.load(1, 600)
        assert {(one.seen, one.sendings) for one in outcomes} == {("accepted", 1)}
        assert len(zoom.mints) == 1
        assert len(fleet.told(StoreDown)) == 4
        for one in fleet.all:
            assert [found.code for found in one.manager.diagnoses()] == ["store_down"]
        fleet.cut(down=False)
        await fleet.load(5, 20)
        assert len(fleet.told(StoreUp)) == 4
        assert len(zoom.mints) == 2
        assert fleet.generations() == [2] * 4


@virtual
async def test_a_token_that_dies_meanwhile_is_replaced_within_the_time_calls_wait() -> None:
    zoom = Zoom()
    async with replicas(3, zoom) as fleet:
        await fleet.load(5, 2)
        fleet.cut(down=True)
        await asyncio.sleep(5)
        zoom.kill()
        outcome = await fleet.all[0].call()
        assert (outcome.seen, outcome.sendings) == ("accepted", 2)
        assert outcome.took < 6


@virtual
async def test_alone_a_replica_mints_at_most_every_thirty_seconds() -> None:
    zoom = Zoom()
    async with replicas(4, zoom) as fleet:
        await fleet.load(5, 2)
        fleet.cut(down=True)
        mints = len(zoom.mints)
        await fleet.load(1, 300)
        assert len(zoom.mints) == mints
        zoom.kill()
        await fleet.load(1, 300)
        assert len(zoom.mints) - mints <= 4 * 11
        fleet.cut(down=False)
        await fleet.load(5, 10)
        mints = len(zoom.mints)
        outcomes = await fleet.load(5, 60)
        assert {(one.seen, one.sendings) for one in outcomes} == {("accepted", 1)}
        assert len(zoom.mints) == mints
        assert len(set(fleet.generations())) == 1


@virtual
async def test_at_the_start_a_fleet_without_its_store_mints_after_a_while() -> None:
    store = FailingStore(VirtualClock())
    store.down = True
    async with Fleet(Zoom(), store=store) as fleet:
        outcome = await fleet.call()
        assert outcome.seen == "accepted"
        assert outcome.took < 6
        assert fleet.manager.tried


@virtual
async def test_who_is_told_to_wait_does_not_mint() -> None:
    zoom = Zoom()
    store = FailingStore(VirtualClock())
    store.down = True
    async with Fleet(zoom, store=store, mint_in_outage=False) as fleet:
        outcome = await fleet.call()
        assert outcome.seen == "unavailable"
        await asyncio.sleep(60)
        assert not zoom.mints
        assert not fleet.manager.tried
        store.down = False
        assert (await fleet.call()).seen == "accepted"
    assert len(zoom.mints) == 1


@pytest.mark.parametrize(
    "problem",
    [
        StoreFormatError("a newer gateway wrote it"),
        StoreContentError("it is no hash"),
        StoreRefusedError("wrong password"),
    ],
)
@virtual
async def test_a_replica_that_may_not_read_what_is_there_does_not_mint_over_it(
    problem: StoreError,
) -> None:
    """There may well be a token that the rest of the fleet uses."""
    zoom = Zoom()
    store = FailingStore(VirtualClock())
    store.read_fault = store.write_fault = problem
    async with Fleet(zoom, store=store) as fleet:
        assert (await fleet.call()).seen == "unavailable"
        await asyncio.sleep(120)
        assert not zoom.mints
        assert str(problem) in " ".join(one.sentence for one in fleet.manager.diagnoses())
        store.read_fault = store.write_fault = None
        await asyncio.sleep(2)
        assert (await fleet.call()).seen == "accepted"


@virtual
async def test_who_was_refused_at_the_start_stays_out_whatever_happens_next() -> None:
    zoom = Zoom()
    store = FailingStore(VirtualClock())
    store.read_fault = store.write_fault = StoreRefusedError("wrong password")
    async with Fleet(zoom, store=store) as fleet:
        await asyncio.sleep(5)
        store.read_fault = store.write_fault = StoreUnavailableError("no connection")
        outcome = await fleet.call()
        assert (outcome.seen, outcome.took) == ("unavailable", 0.0)
        await asyncio.sleep(60)
        assert not zoom.mints
        assert [event.message for event in fleet.told.of(StoreDown)] == [
            "wrong password",
            "no connection",
        ]
        store.read_fault = store.write_fault = None
        await asyncio.sleep(2)
        assert (await fleet.call()).seen == "accepted"


@virtual
async def test_a_mint_alone_is_told_when_it_happens() -> None:
    store = FailingStore(VirtualClock())
    store.down = True
    async with Fleet(Zoom(), store=store) as fleet:
        assert (await fleet.call()).seen == "accepted"
        assert len(fleet.told.of(Minted)) == 1
        store.down = False
        await asyncio.sleep(3)
        assert len(fleet.told.of(Minted)) == 1


@virtual
async def test_a_password_that_is_withdrawn_later_is_an_outage() -> None:
    zoom = Zoom()
    store = FailingStore(VirtualClock())
    async with Fleet(zoom, store=store) as fleet:
        await fleet.call()
        store.read_fault = store.write_fault = StoreRefusedError("wrong password")
        zoom.kill()
        assert (await fleet.call()).seen == "accepted"
    assert len(zoom.mints) == 2


@virtual
async def test_a_full_store_is_down_until_it_takes_a_write() -> None:
    store = FailingStore(VirtualClock())
    async with Fleet(Zoom(life=600), store=store) as fleet:
        await fleet.call()
        store.write_fault = StoreUnavailableError("its memory is full")
        outcomes = await load(fleet, 5, 560)
        assert {one.seen for one in outcomes} == {"accepted"}
        assert len(fleet.told.of(StoreDown)) == 1
        assert not fleet.told.of(StoreUp)
        store.write_fault = None
        await asyncio.sleep(2)
        assert len(fleet.told.of(StoreUp)) == 1
        assert not fleet.manager.diagnoses()


@virtual
async def test_a_store_that_takes_no_heartbeat_is_down_before_a_token_needs_it() -> None:
    store = FailingStore(VirtualClock())
    async with Fleet(Zoom(), store=store) as fleet:
        await fleet.call()
        store.write_fault = StoreUnavailableError("its memory is full")
        fleet.manager.store_failed(StoreContentError("the replicas' key is no hash"))
        assert not fleet.manager.diagnoses()
        fleet.manager.store_failed(store.write_fault)
        assert [one.code for one in fleet.manager.diagnoses()] == ["store_down"]
        store.write_fault = None
        await asyncio.sleep(2)
        assert not fleet.manager.diagnoses()


@virtual
async def test_a_store_that_answers_again_is_up_though_nobody_wrote() -> None:
    store = FailingStore(VirtualClock())
    async with Fleet(Zoom(), store=store) as fleet:
        await fleet.call()
        store.read_fault = StoreUnavailableError("cut")
        store._wake()
        await asyncio.sleep(5)
        assert len(fleet.told.of(StoreDown)) == 1
        store.read_fault = None
        await asyncio.sleep(5)
        assert len(fleet.told.of(StoreUp)) == 1


@virtual
async def test_a_document_that_cannot_be_read_is_told_once() -> None:
    store = FailingStore(VirtualClock())
    async with Fleet(Zoom(), store=store) as fleet:
        await fleet.call()
        store.read_fault = StoreFormatError("a newer gateway wrote it")
        store._wake()
        await asyncio.sleep(1800)  # a mint is wanted meanwhile, and the lease is to be had
        await load(fleet, 1, 1800)
        assert len(fleet.told.of(StoreDown)) == 1
        assert not fleet.told.of(StoreUp)


@virtual
async def test_calls_wait_for_a_mint_that_the_replica_makes_alone() -> None:
    zoom = Zoom(mint_latency=1.0)
    async with replicas(1, zoom) as fleet:
        await fleet.load(5, 3)
        fleet.cut(down=True)
        await asyncio.sleep(3)
        zoom.kill()
        outcomes = await fleet.load(20, 8)
        assert {outcome.seen for outcome in outcomes} == {"accepted"}
    assert len(zoom.mints) == 2


@virtual
async def test_every_outage_is_waited_out_for_a_while_of_its_own() -> None:
    """All at once, they would kill each other's tokens."""
    zoom = Zoom(mode="multi")
    async with replicas(8, zoom) as fleet:
        await fleet.load(5, 2)
        for _ in range(2):
            fleet.cut(down=True)
            await asyncio.sleep(8)
            zoom.kill()
            before = len(zoom.mints)
            await fleet.load(5, 10)
            moments = [at for at, _ in zoom.mints[before:]]
            assert max(moments) - min(moments) > 1
            fleet.cut(down=False)
            await fleet.load(1, 100)


@virtual
async def test_one_renewal_that_fails_does_not_cost_the_lease() -> None:
    zoom = Zoom(mint_latency=3.9)
    async with replicas(2, zoom) as fleet:
        while not any(one.manager.ledger.account.minting for one in fleet.all):
            await asyncio.sleep(0.01)
        fleet.cut(down=True)
        await asyncio.sleep(1.2)
        fleet.cut(down=False)
        await asyncio.sleep(8)
        assert not fleet.told(LostMint)
    assert len(zoom.mints) == 1


class Hanging(FailingStore):
    """Accepts, and does not answer."""

    hangs = False

    async def _way(self, fault: StoreError | None) -> None:
        if self.hangs:
            await asyncio.sleep(3)
            raise CUT
        await super()._way(fault)


@virtual
async def test_a_minted_token_is_used_though_the_store_hangs() -> None:
    zoom = Zoom(mint_latency=1.0)
    store = Hanging(VirtualClock())
    async with Fleet(zoom, store=store) as fleet:
        await fleet.call()
        zoom.kill()
        call = asyncio.create_task(fleet.call())
        while not fleet.manager.ledger.account.minting:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        store.hangs = True
        outcome = await call
        assert (outcome.seen, outcome.sendings) == ("accepted", 2)
        assert outcome.took < 3.5
        store.hangs = False
        await asyncio.sleep(5)
        assert (await store.read("default")).document is not None
        assert not fleet.told.of(LostMint)
    assert len(zoom.mints) == 2


@virtual
async def test_after_an_outage_calls_wait_for_a_mint_again() -> None:
    zoom = Zoom()
    store = FailingStore(VirtualClock())
    async with Fleet(zoom, store=store) as fleet:
        await fleet.call()
        store.down = True
        zoom.kill()
        assert (await fleet.call()).seen == "accepted"
        store.down = False
        await asyncio.sleep(3)
        zoom.kill()
        outcome = await fleet.call()
        assert (outcome.seen, outcome.sendings) == ("accepted", 2)


@virtual
async def test_an_outage_of_one_replica_is_its_own() -> None:
    zoom = Zoom(life=600)
    async with replicas(3, zoom) as fleet:
        await fleet.load(5, 2)
        fleet.stores[0].down = True
        outcomes = await fleet.load(5, 400)
        assert {(one.seen, one.sendings) for one in outcomes} == {("accepted", 1)}
        fleet.stores[0].down = False
        await asyncio.sleep(3)
        assert fleet.generations() == [1] * 3


@virtual
async def test_what_is_kept_for_the_store_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MOST_PENDING", 20)
    zoom = Zoom(life=120, mint_error=lambda _: None)
    async with replicas(2, zoom, (A0, A1)) as fleet:
        await fleet.load(5, 2)
        fleet.stores[0].down = True
        zoom.mint_error = lambda _: failure(MintFailure.SERVER_ERROR)
        kept = []
        for _ in range(60):
            zoom.refuses = set()
            await load(fleet.all[0], 2, 10)
            for number in range(5):
                await fleet.all[0].call(f"GET /broken/{number}")
            zoom.refuses = {f"GET /broken/{number}" for number in range(5)}
            kept.append(len(fleet.all[0].manager.ledger._pending))
        assert max(kept) < 60
        zoom.mint_error = lambda _: None
        zoom.refuses = set()
        fleet.stores[0].down = False
        await asyncio.sleep(70)
        outcomes = await fleet.load(5, 5)
        assert {one.seen for one in outcomes} == {"accepted"}
        assert len(fleet.tokens()) == 1
