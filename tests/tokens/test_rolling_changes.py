"""Replicas with different configurations on one store: while a change is rolled out."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import pytest

from gateway.core.account import Account, Outcome
from gateway.core.errors import MintError, MintFailure
from gateway.core.events import ForeignMint, StoreDown
from gateway.core.token import SlotId
from gateway.stores.memory import MemoryStore
from tests.support.account import A0, A1, B0, Fleet, load
from tests.support.virtual_time import VirtualClock, virtual
from tests.support.zoom_in_memory import Zoom, failure

C0 = SlotId("c", 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((A0,), (A0, A1)),
        ((A0, A1), (A0,)),
        ((A0,), (B0,)),
        ((A0,), (A0, B0)),
        ((A0, A1), (A1, B0)),
    ],
)
@virtual
async def test_replicas_with_other_slots_mint_as_often_as_two_fleets_would(
    old: tuple[SlotId, ...], new: tuple[SlotId, ...]
) -> None:
    zoom = Zoom()
    store = MemoryStore(VirtualClock())
    async with AsyncExitStack() as stack:
        fleets = [
            await stack.enter_async_context(Fleet(zoom, slots, store, replica=name))
            for name, slots in (("old-1", old), ("new-1", new), ("old-2", old), ("new-2", new))
        ]
        found = await asyncio.gather(*(load(one, 1, 4 * 3600) for one in fleets))
        for outcomes in found:
            assert {outcome.seen for outcome in outcomes} == {"accepted"}
            assert sum(outcome.sendings - 1 for outcome in outcomes) <= 8
        for one in fleets:
            assert not one.told.of(StoreDown)
            assert not one.told.of(ForeignMint)
    assert len(zoom.mints) <= 2 * 9


@virtual
async def test_another_client_under_the_same_name_has_its_own_token() -> None:
    """Two simulated Zooms: neither takes the other's tokens."""
    store = MemoryStore(VirtualClock())
    before, after = Zoom(), Zoom()
    async with (
        Fleet(before, (A0,), store, replica="old", identity="old") as old,
        Fleet(after, (A0,), store, replica="new", identity="new") as new,
    ):
        for _ in range(20):
            assert (await old.call()).seen == "accepted"
            assert (await new.call()).seen == "accepted"
            await asyncio.sleep(60)
        before.kill()
        assert (await old.call()).sendings == 2
        assert (await new.call()).sendings == 1
    assert len(before.mints) == 2
    assert len(after.mints) <= 2


@virtual
async def test_a_slot_that_fails_is_not_tried_more_often_because_others_do_not_know_it() -> None:
    tries = []

    def error(slot: SlotId) -> MintError | None:
        if slot != B0:
            return None
        tries.append(slot)
        return failure(MintFailure.INVALID_CLIENT)

    zoom = Zoom(mint_error=error, refuses=set())
    store = MemoryStore(VirtualClock())
    async with (
        Fleet(zoom, (A0, B0), store, replica="new"),
        Fleet(zoom, (A0,), store, replica="old") as old,
    ):
        await load(old, 1, 1900)  # past half of the life: the new one wants to rotate into B0
        before = len(tries)
        for number in range(40):
            # Marks of the old one, which writes the whole document.
            old.manager.ledger.apply(partial(_suspected, f"GET /{number}"))
            await asyncio.sleep(3)
    assert len(tries) - before <= 3


def _suspected(endpoint: str, account: Account, now: float) -> Outcome:
    return replace(account, suspects=MappingProxyType({endpoint: now + 600})), ()


@virtual
async def test_a_replica_that_comes_back_with_the_former_slots_finds_its_token() -> None:
    zoom = Zoom()
    store = MemoryStore(VirtualClock())
    async with Fleet(zoom, (A0,), store) as first:
        assert (await first.call()).seen == "accepted"
    async with Fleet(zoom, (C0,), store) as other:
        assert (await other.call()).seen == "accepted"
    async with Fleet(zoom, (A0,), store) as again:
        outcome = await again.call()
        assert (outcome.seen, outcome.sendings) == ("accepted", 1)
    assert len(zoom.mints) == 2


@virtual
async def test_a_move_to_another_store_with_another_slot_kills_no_token() -> None:
    """Each old replica has a store of its own, as with `memory:`; the new ones share one."""
    zoom = Zoom()
    shared = MemoryStore(VirtualClock())
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(Fleet(zoom, (A0,), replica="old"))
        assert (await old.call()).seen == "accepted"
        new = [
            await stack.enter_async_context(Fleet(zoom, (A1,), shared, replica=f"new-{number}"))
            for number in range(2)
        ]
        found = await asyncio.gather(*(load(one, 1, 600) for one in (old, *new)))
    assert {(one.seen, one.sendings) for outcomes in found for one in outcomes} == {("accepted", 1)}
    assert len(zoom.mints) == 2


@virtual
async def test_a_move_to_another_store_in_the_same_slot_costs_mints_until_it_is_over() -> None:
    """Why the other way is better: the two kill each other's token."""
    zoom = Zoom()
    async with Fleet(zoom, (A0,), replica="old") as old, Fleet(zoom, (A0,), replica="new") as new:
        found = await asyncio.gather(load(old, 1, 60), load(new, 1, 60))
    assert max(one.sendings for outcomes in found for one in outcomes) > 1
    assert len(zoom.mints) > 2


@virtual
async def test_a_slot_that_was_taken_away_makes_no_rotation_overdue() -> None:
    zoom, store = Zoom(), MemoryStore(VirtualClock())
    async with Fleet(zoom, (A0, A1), store) as before:
        await before.call()
        await asyncio.sleep(1)
        planned = before.manager.ledger.account.rotate_at
    async with Fleet(zoom, (A0,), store, replica="later") as later:
        await later.call()
        await asyncio.sleep(1)
        rotate_at = later.manager.ledger.account.rotate_at
        assert planned is not None
        assert rotate_at is not None
        assert 1430 < rotate_at - planned < 1450  # from half of an hour to nine tenths of it
        for _ in range(60):
            assert (await later.call()).seen == "accepted"
            assert not later.manager.diagnoses()
            await asyncio.sleep(60)
    assert len(zoom.mints) == 2


@virtual
async def test_a_start_by_itself_writes_nothing() -> None:
    zoom, store = Zoom(), MemoryStore(VirtualClock())
    async with Fleet(zoom, store=store) as fleet:
        await fleet.call()
        await asyncio.sleep(1)
    written = (await store.read("default")).revision
    for name in ("second", "third"):
        async with Fleet(zoom, store=store, replica=name) as fleet:
            await fleet.call()
            await asyncio.sleep(100)
    assert (await store.read("default")).revision == written
