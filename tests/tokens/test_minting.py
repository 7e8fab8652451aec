"""Mints: one at a time, owned by nobody who may go away, never in vain and never too late."""

import asyncio

import pytest

from gateway.core.errors import MintError, MintFailure
from gateway.core.events import ForeignMint, LostMint, Minted, MintFailed, SlotOut, SlotsLinked
from gateway.core.token import Cause, SlotId
from gateway.stores.memory import MemoryStore
from tests.support.account import A0, A1, B0, Fleet, load
from tests.support.virtual_time import VirtualClock, virtual
from tests.support.zoom_in_memory import Zoom, failure


@virtual
async def test_two_hundred_calls_on_a_cold_start_cost_one_mint() -> None:
    async with Fleet(Zoom(mint_latency=1.0)) as fleet:
        outcomes = await asyncio.gather(*(fleet.call() for _ in range(200)))
    assert {outcome.seen for outcome in outcomes} == {"accepted"}
    assert len(fleet.zoom.mints) == 1


@virtual
async def test_a_failed_mint_is_not_kept() -> None:
    zoom = Zoom()
    failures = iter([failure(MintFailure.SERVER_ERROR)])
    zoom.mint_error = lambda _: next(failures, None)
    async with Fleet(zoom) as fleet:
        outcomes = await asyncio.gather(*(fleet.call() for _ in range(5)))
    assert {outcome.seen for outcome in outcomes} == {"accepted"}
    assert max(outcome.took for outcome in outcomes) < 1
    assert len(fleet.told.of(MintFailed)) == 1


@virtual
async def test_a_cancelled_waiter_hurts_nobody() -> None:
    async with Fleet(Zoom(mint_latency=2.0)) as fleet:
        calls = [asyncio.create_task(fleet.call()) for _ in range(10)]
        await asyncio.sleep(1)
        for call in calls[::2]:
            call.cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    kept = [one for one in outcomes if not isinstance(one, BaseException)]
    assert len(kept) == 5
    assert {outcome.seen for outcome in kept} == {"accepted"}
    assert len(fleet.zoom.mints) == 1


@virtual
async def test_all_callers_of_a_refused_token_may_go_away_and_the_mint_goes_on() -> None:
    async with Fleet(Zoom(mint_latency=2.0)) as fleet:
        await fleet.call()
        fleet.zoom.kill()
        calls = [asyncio.create_task(fleet.call()) for _ in range(10)]
        await asyncio.sleep(0.5)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(2)
        outcome = await fleet.call()
    assert (outcome.seen, outcome.sendings) == ("accepted", 1)
    assert len(fleet.zoom.mints) == 2


@virtual
async def test_a_token_endpoint_that_stays_silent_is_given_up_and_asked_again() -> None:
    zoom = Zoom(mint_latency=100.0)
    async with Fleet(zoom) as fleet:
        call = asyncio.create_task(fleet.call())
        await asyncio.sleep(4.2)
        zoom.mint_latency = 0.1
        outcome = await call
        assert outcome.seen == "accepted"
        assert outcome.took < 6
    failed = fleet.told.of(MintFailed)
    assert [event.failure for event in failed] == [MintFailure.TIMEOUT]
    assert fleet.told.of(LostMint)


@virtual
async def test_calls_without_a_token_wait_no_longer_than_they_may() -> None:
    zoom = Zoom(mint_error=lambda _: failure(MintFailure.CONNECTION))
    async with Fleet(zoom, wait_timeout=3.0) as fleet:
        outcome = await fleet.call()
    assert outcome.seen == "unavailable"
    assert outcome.took <= 3.0


@virtual
async def test_wrong_credentials_are_retried_slowly_and_fail_calls_at_once() -> None:
    zoom = Zoom(mint_error=lambda _: failure(MintFailure.INVALID_CLIENT))
    async with Fleet(zoom) as fleet:
        await asyncio.sleep(1)
        outcome = await fleet.call()
        assert outcome.seen == "unavailable"
        assert outcome.took < 0.01
        await asyncio.sleep(300)
        assert fleet.manager.diagnoses()[0].code == "no_token"
    assert 4 <= len(fleet.told.of(MintFailed)) <= 6


@virtual
async def test_the_token_endpoint_may_be_down_for_ten_minutes_while_the_token_is_valid() -> None:
    zoom = Zoom(life=3600)
    async with Fleet(zoom, (A0, A1)) as fleet:
        await asyncio.sleep(1700)
        zoom.mint_error = lambda _: failure(MintFailure.CONNECTION)
        outcomes = await load(fleet, 5, 700)
        assert {(o.seen, o.sendings) for o in outcomes} == {("accepted", 1)}
        assert [one.code for one in fleet.manager.diagnoses()] == ["mint_failing"]
        assert len(fleet.told.of(MintFailed)) < 40
        zoom.mint_error = lambda _: None
        await asyncio.sleep(60)
        assert not fleet.manager.diagnoses()


@virtual
async def test_retry_after_is_honoured() -> None:
    zoom = Zoom(mint_error=lambda _: failure(MintFailure.RATE_LIMITED, 20.0))
    async with Fleet(zoom) as fleet:
        await asyncio.sleep(50)
    assert len(fleet.told.of(MintFailed)) == 3


@virtual
async def test_with_one_slot_the_token_is_rotated_late_and_calls_never_wait() -> None:
    async with Fleet(Zoom(life=1000)) as fleet:
        outcomes = await load(fleet, 20, 950)
        assert {outcome.seen for outcome in outcomes} == {"accepted"}
        assert max(outcome.took for outcome in outcomes) < 0.2
        rotation = fleet.zoom.mints[1][0] - fleet.zoom.mints[0][0]
        assert 900 <= rotation <= 906
    assert not fleet.told.of(ForeignMint)


@pytest.mark.parametrize("slots", [(A0, A1), (A0, B0)])
@virtual
async def test_with_two_slots_a_rotation_under_load_causes_no_refusal(
    slots: tuple[SlotId, ...],
) -> None:
    zoom = Zoom(life=60, latency=0.2)
    async with Fleet(zoom, slots) as fleet:
        outcomes = await load(fleet, 100, 125)
    assert {(o.seen, o.sendings) for o in outcomes} == {("accepted", 1)}
    assert zoom.refusals == 0
    assert len(zoom.mints) == 5
    assert {slot for _, slot in zoom.mints} == set(slots)


@pytest.mark.parametrize("life", [2.0, 5.0, 30.0])
@virtual
async def test_tokens_of_a_few_seconds_work_too(life: float) -> None:
    async with Fleet(Zoom(life=life)) as fleet:
        outcomes = await load(fleet, 20, 10 * life)
    assert {outcome.seen for outcome in outcomes} == {"accepted"}
    assert len(fleet.zoom.mints) <= 12


@virtual
async def test_a_token_index_that_zoom_refuses_is_out_and_the_operator_is_told() -> None:
    zoom = Zoom()
    zoom.mint_error = lambda slot: failure(MintFailure.INVALID_INDEX) if slot == A1 else None
    async with Fleet(zoom, (A0, A1)) as fleet:
        outcomes = await load(fleet, 1, 3400)
        assert {outcome.seen for outcome in outcomes} == {"accepted"}
        assert [one.code for one in fleet.manager.diagnoses()] == ["slot_out"]
    assert len(fleet.told.of(SlotOut)) == 1
    # Told apart from a slot that works, the token is rotated late, in its own slot.
    assert [round((at - zoom.mints[0][0]) / 3600, 1) for at, _ in zoom.mints] == [0.0, 0.9]


@virtual
async def test_slots_whose_index_zoom_ignores_are_treated_as_one() -> None:
    zoom = Zoom(mode="app-max:1", life=1000)
    async with Fleet(zoom, (A0, A1)) as fleet:
        outcomes = await load(fleet, 5, 1900)
        assert {outcome.seen for outcome in outcomes} == {"accepted"}
        assert len(fleet.told.of(SlotsLinked)) == 1
        assert "slots_linked" in {one.code for one in fleet.manager.diagnoses()}
    assert not fleet.told.of(ForeignMint)
    gaps = [round(b[0] - a[0], -1) for a, b in zip(zoom.mints, zoom.mints[1:], strict=False)]
    assert gaps[0] == 500
    assert set(gaps[1:]) == {900}


@virtual
async def test_slots_of_two_apps_are_never_linked() -> None:
    async with Fleet(Zoom(mode="app-max:1", life=1000), (A0, B0)) as fleet:
        await load(fleet, 1, 1900)
    assert not fleet.told.of(SlotsLinked)


@virtual
async def test_if_no_mint_is_to_be_had_a_living_token_that_one_endpoint_refuses_is_kept() -> None:
    zoom = Zoom(refuses={"GET /broken"})
    async with Fleet(zoom) as fleet:
        await fleet.call()
        zoom.mint_error = lambda _: failure(MintFailure.SERVER_ERROR)
        broken, healthy = await asyncio.gather(fleet.call("GET /broken"), load(fleet, 20, 30))
        assert broken.seen == "refused"
        assert {outcome.seen for outcome in healthy} == {"accepted"}
    assert len(zoom.mints) == 1


@virtual
async def test_a_dead_token_is_not_given_out_while_no_mint_is_to_be_had() -> None:
    zoom = Zoom()
    async with Fleet(zoom) as fleet:
        await fleet.call()
        zoom.kill()
        zoom.mint_error = lambda _: failure(MintFailure.SERVER_ERROR)
        first = await fleet.call()
        before = zoom.refusals
        await load(fleet, 5, 20)
    assert first.seen == "refused"
    assert zoom.refusals <= before + 1


@virtual
async def test_a_lost_mint_of_ours_is_no_foreign_one() -> None:
    zoom = Zoom(life=1000)
    async with Fleet(zoom) as fleet:
        await fleet.call()
        await asyncio.sleep(890)
        await fleet.call()
        zoom.mint_latency = 9.0
        await asyncio.sleep(25)
        zoom.mint_latency = 0.1
        await asyncio.sleep(5)
        outcomes = await load(fleet, 5, 30)
        assert {outcome.seen for outcome in outcomes} == {"accepted"}
    assert fleet.told.of(LostMint)
    assert not fleet.told.of(ForeignMint)


@virtual
async def test_closing_finishes_a_mint_in_progress_and_keeps_its_token() -> None:
    clock = VirtualClock()
    store = MemoryStore(clock)
    zoom = Zoom(mint_latency=1.0)
    async with Fleet(zoom, store=store, clock=clock) as fleet:
        await asyncio.sleep(0.6)
    assert len(zoom.mints) == 1
    async with Fleet(zoom, store=store, clock=clock) as fleet:
        assert (await fleet.call()).seen == "accepted"
    assert len(zoom.mints) == 1


@virtual
async def test_an_error_of_our_own_ends_no_minter() -> None:
    zoom = Zoom()
    fleet = Fleet(zoom)
    broken = iter([RuntimeError("a defect")])

    def fail(_: SlotId) -> MintError | None:
        for defect in broken:
            raise defect
        return None

    zoom.mint_error = fail
    async with fleet:
        assert (await fleet.call()).seen == "accepted"
        assert [str(defect) for defect in fleet.defects] == ["a defect"]
        fleet.defects.clear()


@virtual
async def test_why_a_token_was_minted_is_told() -> None:
    async with Fleet(Zoom(life=100)) as fleet:
        await fleet.call()
        await asyncio.sleep(91.9)
        fleet.zoom.kill()
        await fleet.call()
        await asyncio.sleep(0.1)
    causes = [event.cause for event in fleet.told.of(Minted)]
    assert causes == [Cause.START, Cause.ROTATION, Cause.REFUSAL]
