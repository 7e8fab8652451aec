"""Refusals that look like something else, and what must not be believed."""

import asyncio

from gateway.core.errors import MintFailure
from gateway.core.events import EndpointSuspected, ForeignMint, Minted, MintFailed
from gateway.core.token import SlotId
from tests.support.account import A0, B0, Fleet, Outcome, load
from tests.support.virtual_time import virtual
from tests.support.zoom_in_memory import Zoom, failure


def lost(outcomes: list[Outcome]) -> int:
    return sum(outcome.seen != "accepted" for outcome in outcomes)


@virtual
async def test_one_endpoint_after_the_other_refuses_while_no_mint_is_to_be_had() -> None:
    zoom = Zoom()
    async with Fleet(zoom) as fleet:
        await fleet.call()
        zoom.mint_error = lambda _: failure(MintFailure.SERVER_ERROR)
        healthy = asyncio.create_task(load(fleet, 20, 30))
        for name in ("GET /one", "GET /two", "GET /three"):
            zoom.refuses.add(name)
            await asyncio.sleep(5)
            assert (await fleet.call(name)).seen == "refused"
        assert lost(await healthy) == 0
        assert fleet.manager.ledger.token() is not None


@virtual
async def test_a_probe_path_that_refuses_by_itself_is_not_believed() -> None:
    zoom = Zoom(refuses={"GET /me", "GET /broken"}, latency=0.05)
    async with Fleet(zoom) as fleet:
        await fleet.call()
        broken = asyncio.create_task(load(fleet, 5, 120, "GET /broken"))
        healthy = await load(fleet, 50, 120)
        await broken
    assert lost(healthy) == 0
    assert len(zoom.mints) <= 4
    assert not fleet.told.of(ForeignMint)


@virtual
async def test_a_probe_path_that_refuses_by_itself_beside_few_calls_costs_few_mints() -> None:
    zoom = Zoom(refuses={"GET /me", "GET /broken"}, latency=0.05)
    async with Fleet(zoom) as fleet:
        broken = asyncio.create_task(load(fleet, 2, 600, "GET /broken"))
        healthy = await load(fleet, 0.1, 600)
        await broken
    assert lost(healthy) <= 2
    assert len(zoom.mints) <= 10


@virtual
async def test_calls_that_our_own_mint_broke_in_flight_prove_no_foreign_one() -> None:
    zoom = Zoom(latency=0.2)
    async with Fleet(zoom) as fleet:
        await fleet.call()
        healthy = asyncio.create_task(load(fleet, 100, 5))
        await asyncio.sleep(1)
        zoom.refuses.add("GET /broken")
        assert (await fleet.call("GET /broken")).seen == "refused"
        assert lost(await healthy) == 0
        await asyncio.sleep(0.1)
    assert not fleet.told.of(ForeignMint)


@virtual
async def test_one_bad_resource_among_many_good_ones_costs_a_mint_or_two() -> None:
    zoom = Zoom(refuses={"bad"}, latency=0.1)
    async with Fleet(zoom) as fleet:
        await fleet.call("GET /things/{id}")

        async def bad() -> list[Outcome]:
            async with asyncio.TaskGroup() as group:
                calls = []
                for _ in range(200):
                    calls.append(group.create_task(fleet.call("GET /things/{id}", resource="bad")))
                    await asyncio.sleep(0.05)
            return [call.result() for call in calls]

        refused = asyncio.create_task(bad())
        good = await load(fleet, 100, 10, "GET /things/{id}")
        assert {outcome.seen for outcome in await refused} == {"refused"}
    assert lost(good) == 0
    # A second one if a good call with the fresh token is accepted just before it is refused.
    assert len(zoom.mints) <= 3
    assert len(fleet.told.of(EndpointSuspected)) == 1
    assert not fleet.told.of(ForeignMint)


class Credentials:
    """What an operator keeps on disk."""

    def __init__(self) -> None:
        self.secret = "wrong"

    def check(self, _: SlotId) -> object:
        return failure(MintFailure.INVALID_CLIENT) if self.secret == "wrong" else None


@virtual
async def test_credentials_that_were_corrected_are_tried_at_once() -> None:
    kept = Credentials()
    zoom = Zoom(mint_error=kept.check)  # type: ignore[arg-type]  # the same, by its own name
    async with Fleet(zoom, credentials=lambda: kept.secret) as fleet:
        await asyncio.sleep(5)
        assert (await fleet.call()).seen == "unavailable"
        kept.secret = "right"
        await asyncio.sleep(1.5)
        assert (await fleet.call()).seen == "accepted"
    assert len(fleet.told.of(MintFailed)) == 1


@virtual
async def test_a_replica_that_starts_tries_what_another_had_put_off() -> None:
    zoom = Zoom(mint_error=lambda _: failure(MintFailure.INVALID_CLIENT))
    async with Fleet(zoom) as first:
        await asyncio.sleep(1)
    zoom.mint_error = lambda _: None
    async with Fleet(zoom, store=first.store) as second:
        outcome = await second.call()
    assert (outcome.seen, outcome.took < 1) == ("accepted", True)


@virtual
async def test_callers_that_wait_for_a_mint_that_fails_are_told_when_the_next_one_is() -> None:
    zoom = Zoom(mint_latency=1.0, mint_error=lambda _: failure(MintFailure.RATE_LIMITED, 120.0))
    async with Fleet(zoom) as fleet:
        outcomes = await asyncio.gather(*(fleet.call() for _ in range(3)))
        assert {outcome.seen for outcome in outcomes} == {"unavailable"}
        assert max(outcome.took for outcome in outcomes) < 1


@virtual
async def test_what_is_said_of_failing_mints_is_said_of_the_slot_that_fails() -> None:
    zoom = Zoom(life=600)
    zoom.mint_error = lambda slot: failure(MintFailure.INVALID_CLIENT) if slot == B0 else None
    async with Fleet(zoom, (A0, B0)) as fleet:
        outcomes = await load(fleet, 1, 1200)
        assert lost(outcomes) == 0
        assert len(fleet.told.of(Minted)) >= 2
        assert [one.code for one in fleet.manager.diagnoses()] == ["mint_failing"]
