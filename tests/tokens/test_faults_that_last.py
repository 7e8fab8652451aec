"""Faults that last or heal late: what callers see meanwhile, and how soon they are served again."""

import asyncio

import pytest

from gateway.core.errors import MintFailure
from gateway.core.events import MintFailed, SlotOut, Switched
from gateway.core.secret import Secret
from gateway.core.token import SlotId
from gateway.stores.memory import MemoryStore
from tests.support.account import A0, A1, B0, Fleet, Outcome, load
from tests.support.virtual_time import VirtualClock, virtual
from tests.support.zoom_in_memory import Zoom, failure


class HalfBroken(Zoom):
    """Accepts no token of app b, wherever it is sent."""

    def accepts(self, token: Secret, endpoint: str) -> bool:
        good = super().accepts(token, endpoint)
        if good and self._tokens[token.reveal()].slot.app == "b":
            self.refusals += 1
            return False
        return good


class StoreClock(VirtualClock):
    """A store's own clock: `offset` is how far it is from the replicas'."""

    offset = 0.0

    def now(self) -> float:
        return super().now() + self.offset


async def until_served(fleet: Fleet, patience: float) -> float:
    """Seconds until a call is accepted, if one is made every second."""
    start = fleet.clock.now()
    while (await fleet.call()).seen != "accepted":
        assert fleet.clock.now() - start < patience
        await asyncio.sleep(1)
    return fleet.clock.now() - start


def lost(outcomes: list[Outcome]) -> int:
    """Callers that did not get what they came for."""
    return sum(outcome.seen != "accepted" for outcome in outcomes)


@pytest.mark.parametrize("slots", [(A0, B0), (B0, A0)])
@virtual
async def test_an_app_whose_tokens_are_all_refused_harms_no_caller_while_another_app_works(
    slots: tuple[SlotId, ...],
) -> None:
    zoom = HalfBroken()
    async with Fleet(zoom, slots) as fleet:
        # Half an hour after the start the token is rotated into the other app.
        start = await load(fleet, 5, 1790)
        before, refusals = len(zoom.mints), zoom.refusals
        twenty_minutes = await load(fleet, 5, 1200)
    assert lost(start) == 0
    assert lost(twenty_minutes) == 0
    assert max(outcome.took for outcome in start + twenty_minutes) < 1
    assert max(outcome.sendings for outcome in twenty_minutes) == 2
    # Two at once, the growing hold-offs, then one a minute.
    assert 15 <= len(zoom.mints) - before <= 25
    assert {slot for _, slot in zoom.mints[before:]} == {B0}
    assert len(fleet.told.of(Switched)) <= len(zoom.mints)
    # A refused token is met by the few calls that were under way, and by no later one.
    assert zoom.refusals - refusals <= 3 * (len(zoom.mints) - before)


@virtual
async def test_nor_when_the_token_of_the_app_that_works_runs_out() -> None:
    zoom = HalfBroken(life=600)
    async with Fleet(zoom, (A0, B0), seed=1) as fleet:
        outcomes = await load(fleet, 2, 7200)
    assert lost(outcomes) <= 10


@pytest.mark.parametrize("slots", [(A0,), (A0, A1), (A0, B0)])
@virtual
async def test_slots_that_were_all_refused_once_are_tried_again_within_a_minute(
    slots: tuple[SlotId, ...],
) -> None:
    zoom = Zoom(mint_error=lambda _: failure(MintFailure.INVALID_INDEX))
    async with Fleet(zoom, slots) as fleet:
        await asyncio.sleep(1)
        zoom.mint_error = lambda _: None
        outcome = await fleet.call()
        assert (outcome.seen, outcome.took) == ("unavailable", 0)
        assert 55 < await until_served(fleet, 75) < 75
        assert len(fleet.told.of(SlotOut)) == len(slots)
        assert len(zoom.mints) == 1


@virtual
async def test_slots_that_stay_refused_are_tried_about_once_a_minute_each() -> None:
    zoom = Zoom(mint_error=lambda _: failure(MintFailure.INVALID_INDEX))
    async with Fleet(zoom, (A0, A1)) as fleet:
        await asyncio.sleep(1200)
        assert (await fleet.call()).seen == "unavailable"
        assert "no_token" in {one.code for one in fleet.manager.diagnoses()}
    assert 2 * 16 <= len(fleet.told.of(MintFailed)) <= 2 * 21


@virtual
async def test_a_slot_that_is_out_is_not_tried_again_while_another_works() -> None:
    zoom = Zoom(life=600)
    zoom.mint_error = lambda slot: failure(MintFailure.INVALID_INDEX) if slot == A1 else None
    async with Fleet(zoom, (A0, A1)) as fleet:
        outcomes = await load(fleet, 1, 3600)
    assert lost(outcomes) == 0
    assert len(fleet.told.of(MintFailed)) == 1


@pytest.mark.parametrize("asked", [301.0, 3600.0, 86_400.0, 1e9])
@virtual
async def test_no_retry_after_however_long_stops_mints_for_more_than_five_minutes(
    asked: float,
) -> None:
    zoom = Zoom(mint_error=lambda _: failure(MintFailure.RATE_LIMITED, asked))
    async with Fleet(zoom) as fleet:
        await asyncio.sleep(1)
        zoom.mint_error = lambda _: None
        outcome = await fleet.call()
        assert (outcome.seen, outcome.took) == ("unavailable", 0)
        assert 295 < await until_served(fleet, 305) <= 300


@virtual
async def test_a_rate_limit_of_one_app_does_not_keep_the_other_from_minting() -> None:
    zoom = Zoom()
    zoom.mint_error = lambda slot: (
        failure(MintFailure.RATE_LIMITED, 200.0) if slot.app == "a" else None
    )
    async with Fleet(zoom, (A0, A1, B0)) as fleet:
        outcome = await fleet.call()
    assert outcome.seen == "accepted"
    assert outcome.took < 1
    assert [event.slot for event in fleet.told.of(MintFailed)] == [A0]


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        (MintFailure.CONNECTION, 100),
        (MintFailure.INVALID_CLIENT, 10),
        (MintFailure.INVALID_INDEX, 10),
        (MintFailure.RATE_LIMITED, 10),
    ],
)
@virtual
async def test_a_store_whose_clock_is_set_back_during_a_backoff_does_not_prolong_it(
    kind: MintFailure, seconds: float
) -> None:
    zoom = Zoom(mint_error=lambda _: failure(kind, 20.0))
    clock = StoreClock()
    async with Fleet(zoom, store=MemoryStore(clock)) as fleet:
        await asyncio.sleep(seconds)
        clock.offset = -3600.0
        zoom.mint_error = lambda _: None
        await until_served(fleet, 90)


@virtual
async def test_nor_does_it_move_a_rotation() -> None:
    zoom = Zoom()
    clock = StoreClock()
    async with Fleet(zoom, (A0, A1), store=MemoryStore(clock)) as fleet:
        await fleet.call()
        await asyncio.sleep(1000)
        clock.offset = -3600.0
        await asyncio.sleep(1000)
        gap = zoom.mints[-1][0] - zoom.mints[0][0]
    assert 1800 <= gap <= 1806


@virtual
async def test_a_replica_that_starts_after_it_takes_over_no_backoff_longer_than_the_longest() -> (
    None
):
    zoom = Zoom(mint_error=lambda _: failure(MintFailure.INVALID_CLIENT))
    clock = StoreClock()
    store = MemoryStore(clock)
    async with Fleet(zoom, store=store):
        await asyncio.sleep(1)
    clock.offset = -3600.0
    async with Fleet(zoom, store=store, replica="replica-2") as fleet:
        await asyncio.sleep(1)
        (slot,) = fleet.manager.ledger.account.slots
        assert slot.failures == 1
        assert 0 < slot.retry_at - fleet.clock.now() <= 360


@pytest.mark.parametrize("offset", [-3600.0, 3600.0])
@virtual
async def test_a_store_whose_clock_jumps_ends_no_token_and_costs_no_call(offset: float) -> None:
    zoom = Zoom()
    clock = StoreClock()
    async with Fleet(zoom, (A0, A1), store=MemoryStore(clock)) as fleet:
        await fleet.call()
        await asyncio.sleep(1000)
        clock.offset = offset
        outcomes = await load(fleet, 1, 7200)
    assert {(outcome.seen, outcome.sendings) for outcome in outcomes} == {("accepted", 1)}
    assert len(zoom.mints) <= 6
