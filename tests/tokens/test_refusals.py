"""Refusals: one mint for all, no storm, and no caller that notices."""

import asyncio
import random
from collections.abc import Iterable

from gateway.core.events import ForeignMint, HoldoffBegan, HoldoffEnded
from gateway.core.token import SlotId
from tests.support.account import A0, A1, B0, Fleet, Outcome, load
from tests.support.virtual_time import virtual
from tests.support.zoom_in_memory import Zoom


def seen(outcomes: Iterable[Outcome]) -> set[str]:
    return {outcome.seen for outcome in outcomes}


@virtual
async def test_forty_refusals_at_once_cost_one_mint() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()
        fleet.zoom.kill()
        outcomes = await asyncio.gather(*(fleet.call() for _ in range(40)))
    assert seen(outcomes) == {"accepted"}
    assert len(fleet.zoom.mints) == 2


@virtual
async def test_late_refusals_of_a_replaced_token_cost_no_mint() -> None:
    async with Fleet(Zoom(latency=0.4)) as fleet:
        await fleet.call()
        early = asyncio.create_task(fleet.call())
        await asyncio.sleep(0.1)
        fleet.zoom.kill()
        late = asyncio.create_task(fleet.call())
        fleet.zoom.latency = 3.0
        later = asyncio.create_task(fleet.call())
        outcomes = await asyncio.gather(early, late, later)
    assert seen(outcomes) == {"accepted"}
    assert len(fleet.zoom.mints) == 2


@virtual
async def test_kills_three_times_a_second_under_load_reach_no_caller() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()

        async def killer() -> int:
            for _ in range(60):
                await asyncio.sleep(1 / 3)
                fleet.zoom.kill()
            return 60

        kills = asyncio.create_task(killer())
        outcomes = await load(fleet, 300, 20)
        assert seen(outcomes) == {"accepted"}
        assert len(fleet.zoom.mints) <= await kills + 2
        assert max(outcome.took for outcome in outcomes) < 1


@virtual
async def test_kills_at_random_reach_one_caller_in_a_thousand_at_most() -> None:
    chance = random.Random(11)
    async with Fleet(Zoom(latency=0.05)) as fleet:
        await fleet.call()
        end = asyncio.get_running_loop().time() + 60

        async def killer() -> None:
            while asyncio.get_running_loop().time() < end:
                await asyncio.sleep(chance.expovariate(1.0))
                fleet.zoom.kill()

        kills = asyncio.create_task(killer())
        outcomes = await load(fleet, 300, 60)
        await kills
    refused = [outcome for outcome in outcomes if outcome.seen != "accepted"]
    assert len(refused) <= len(outcomes) / 1000


async def _broken_endpoint(fleet: Fleet, broken_rate: float, healthy_rate: float) -> int:
    """Calls lost at the healthy endpoints while one refuses for ever, over an hour."""
    broken = asyncio.create_task(load(fleet, broken_rate, 3000, "GET /broken"))
    healthy = await load(fleet, healthy_rate, 3000) if healthy_rate else []
    assert seen(await broken) == {"refused"}
    return sum(outcome.seen != "accepted" or outcome.sendings > 1 for outcome in healthy)


@virtual
async def test_an_endpoint_that_always_refuses_costs_one_mint_and_no_neighbour() -> None:
    async with Fleet(Zoom(latency=0.05, refuses={"GET /broken"})) as fleet:
        await fleet.call()
        harmed = await _broken_endpoint(fleet, 2.0, 1.0)
    mints_for_it = len(fleet.zoom.mints) - 1
    assert mints_for_it <= 2
    assert harmed <= 1
    assert not fleet.told.of(ForeignMint)


@virtual
async def test_an_endpoint_that_always_refuses_and_is_called_alone_costs_one_mint() -> None:
    async with Fleet(Zoom(latency=0.05, refuses={"GET /broken"})) as fleet:
        await _broken_endpoint(fleet, 0.2, 0.0)
    assert len(fleet.zoom.mints) <= 3
    assert not fleet.told.of(HoldoffBegan)


@virtual
async def test_a_broken_endpoint_that_is_called_rarely_mints_at_most_six_times_an_hour() -> None:
    async with Fleet(Zoom(refuses={"GET /broken"}, life=36000)) as fleet:
        for _ in range(60):
            await fleet.call("GET /broken")
            await fleet.call()
            await asyncio.sleep(60)
    assert len(fleet.zoom.mints) <= 7


@virtual
async def test_one_resource_of_a_route_that_refuses_leaves_the_others_alone() -> None:
    async with Fleet(Zoom(refuses={"resource"})) as fleet:
        await fleet.call("GET /things/{id}")
        for _ in range(600):
            assert (await fleet.call("GET /things/{id}", resource="resource")).seen == "refused"
            assert (await fleet.call("GET /things/{id}")).seen == "accepted"
            await asyncio.sleep(5)
    assert len(fleet.zoom.mints) <= 1 + 6
    assert not fleet.told.of(ForeignMint)


@virtual
async def test_all_tokens_refused_for_ever_mints_six_times_in_a_minute() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()
        fleet.zoom.refuse_all = True
        start = asyncio.get_running_loop().time()
        outcomes = await load(fleet, 20, 60)
        times = [at - start for at, _ in fleet.zoom.mints[1:]]
        assert seen(outcomes) == {"refused"}
        assert len(times) <= 6
        assert fleet.told.of(HoldoffBegan)
        assert any(one.code == "fresh_refused" for one in fleet.manager.diagnoses())
        waits = sorted(outcome.took for outcome in outcomes)
        assert waits[len(waits) // 2] < 0.05
        fleet.zoom.refuse_all = False
        assert (await fleet.call()).seen == "accepted"
        await asyncio.sleep(0.01)
        assert len(fleet.told.of(HoldoffEnded)) == 1
        assert not fleet.manager.diagnoses()


@virtual
async def test_all_tokens_refused_for_ever_with_two_slots_is_no_worse() -> None:
    for slots in ((A0, A1), (A0, B0)):
        async with Fleet(Zoom(), slots) as fleet:
            await fleet.call()
            await asyncio.sleep(1900)
            await fleet.call()
            before = len(fleet.zoom.mints)
            fleet.zoom.refuse_all = True
            outcomes = await load(fleet, 20, 60)
            assert seen(outcomes) == {"refused"}
            assert len(fleet.zoom.mints) - before <= 6


@virtual
async def test_a_foreign_mint_is_cured_at_once_and_counted_once() -> None:
    async with Fleet(Zoom()) as fleet:
        await fleet.call()
        fleet.zoom.issue(A0)
        outcomes = await asyncio.gather(*(fleet.call() for _ in range(10)))
        await fleet.call()
        await asyncio.sleep(0.1)
    assert seen(outcomes) == {"accepted"}
    assert len(fleet.told.of(ForeignMint)) == 1


@virtual
async def test_two_programs_that_share_an_app_do_not_duel_without_end() -> None:
    zoom = Zoom(latency=0.02)
    async with Fleet(zoom, seed=1) as ours, Fleet(zoom, seed=2) as theirs:
        await ours.call()
        await theirs.call()
        both = asyncio.gather(load(ours, 20, 400), load(theirs, 20, 400))
        await asyncio.sleep(330)
        before = len(zoom.mints)
        await asyncio.sleep(60)
        assert len(zoom.mints) - before <= 2 * (0.55 * 60)
        outcomes = [outcome for side in await both for outcome in side]
    refused = sum(outcome.seen != "accepted" for outcome in outcomes)
    assert max(outcome.took for outcome in outcomes) < 8.5
    assert refused / len(outcomes) < 0.03


@virtual
async def test_with_two_slots_a_refusal_switches_to_the_spare_without_waiting() -> None:
    zoom = Zoom(mint_latency=3.0)
    async with Fleet(zoom, (A0, A1)) as fleet:
        await fleet.call()
        await asyncio.sleep(1850)
        assert len(zoom.mints) == 2
        await fleet.call()
        zoom.kill(SlotId("a", 1))
        outcome = await fleet.call()
        assert (outcome.seen, outcome.sendings) == ("accepted", 2)
        assert outcome.took < 0.1
        await asyncio.sleep(5)
        assert len(zoom.mints) == 3
        assert zoom.mints[-1][1] == A1
