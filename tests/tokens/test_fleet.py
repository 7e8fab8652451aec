"""Several replicas, one store: they act as one."""

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from gateway.core.account import Account, Outcome
from gateway.core.errors import MintFailure
from gateway.core.events import ForeignMint, LostMint, Minted, PutBack
from gateway.core.token import SlotId
from gateway.ports import Stamp
from tests.support.account import A0, A1, B0, Fleet
from tests.support.failing_store import CUT
from tests.support.replicas import replicas
from tests.support.virtual_time import VirtualClock, virtual
from tests.support.zoom_in_memory import Zoom, failure


@virtual
async def test_a_cold_start_of_the_whole_fleet_costs_one_mint() -> None:
    zoom = Zoom(mint_latency=0.5)
    async with replicas(8, zoom) as fleet:
        outcomes = await fleet.load(20, 3)
        assert {outcome.seen for outcome in outcomes} == {"accepted"}
        assert fleet.generations() == [1] * 8
    assert len(zoom.mints) == 1


@virtual
async def test_a_refusal_that_all_replicas_meet_costs_one_mint() -> None:
    zoom = Zoom(mint_latency=0.2)
    async with replicas(8, zoom) as fleet:
        await fleet.load(5, 1)
        for kills in range(2, 8):
            zoom.kill()
            outcomes = await fleet.load(20, 1)
            assert {outcome.seen for outcome in outcomes} == {"accepted"}
            assert max(outcome.sendings for outcome in outcomes) == 2
            assert len(zoom.mints) == kills
        assert not fleet.told(LostMint)


@virtual
async def test_what_one_replica_learns_all_know_at_once() -> None:
    zoom = Zoom()
    async with replicas(4, zoom, latency=0.0) as fleet:
        await fleet.load(5, 1)
        zoom.kill()
        await fleet.all[0].call()
        await asyncio.sleep(0.01)
        assert fleet.generations() == [2] * 4
        others = await asyncio.gather(*(one.call() for one in fleet.all[1:]))
    assert [outcome.sendings for outcome in others] == [1, 1, 1]


@virtual
async def test_every_mint_is_told_by_one_replica() -> None:
    zoom = Zoom(life=300)
    async with replicas(4, zoom, (A0, A1)) as fleet:
        for _ in range(5):
            await fleet.load(2, 60)
            zoom.kill()
        await fleet.load(2, 10)
        assert len(fleet.told(Minted)) == len(zoom.mints)
        assert [event.generation for event in fleet.told(ForeignMint)]
        assert len(fleet.told(ForeignMint)) <= 5


@pytest.mark.parametrize("slots", [(A0,), (A0, A1), (A0, B0)])
@virtual
async def test_a_rotation_is_one_mint_however_many_replicas_there_are(
    slots: tuple[SlotId, ...],
) -> None:
    counts = []
    for count in (1, 8):
        zoom = Zoom(life=600)
        async with replicas(count, zoom, slots) as fleet:
            outcomes = await fleet.load(1, 1500)
            assert {outcome.seen for outcome in outcomes} == {"accepted"}
            assert not fleet.told(ForeignMint)
        counts.append(len(zoom.mints))
    assert abs(counts[0] - counts[1]) <= 1


@virtual
async def test_a_replica_that_ends_in_the_middle_of_a_mint_has_its_token_used_by_the_others() -> (
    None
):
    zoom = Zoom(mint_latency=2.0)
    async with replicas(3, zoom) as fleet:
        await asyncio.sleep(1.0)
        minting = next(one for one in fleet.all if one.manager._loop.minting)
        await minting.manager.close()
        outcomes = await fleet.load(5, 2)
        assert {outcome.seen for outcome in outcomes} == {"accepted"}
    assert len(zoom.mints) == 1


@virtual
async def test_new_credentials_are_tried_at_once_whichever_replica_found_the_old_ones_wrong() -> (
    None
):
    zoom = Zoom(mint_error=lambda _: failure(MintFailure.INVALID_CLIENT))
    secret = ["old"]
    async with replicas(3, zoom, credentials=lambda: secret[0]) as fleet:
        await asyncio.sleep(10)
        zoom.mint_error = lambda _: None
        await asyncio.sleep(10)
        assert not zoom.mints
        secret[0] = "new"
        await asyncio.sleep(2)
        assert fleet.generations() == [1, 1, 1]
    assert len(zoom.mints) == 1


class JumpingClock(VirtualClock):
    """A store's clock that somebody sets."""

    jump = 0.0

    def now(self) -> float:
        return super().now() + self.jump


# A store that loses what it was given.


async def settled() -> None:
    """Give everybody the time to look at the store and to write."""
    await asyncio.sleep(3)


@virtual
async def test_an_emptied_store_gets_the_token_back_without_a_mint() -> None:
    zoom = Zoom()
    async with replicas(4, zoom) as fleet:
        await fleet.load(5, 2)
        before, epoch = fleet.tokens(), fleet.all[0].manager.ledger.account.epoch
        fleet.stores[0].become({})
        await settled()
        found = await fleet.stores[0].read("default")
        assert found.document is not None
        assert found.document["generation"] == 1
        assert found.document["epoch"] != epoch
        assert {one.manager.ledger.account.epoch for one in fleet.all} == {found.document["epoch"]}
        assert fleet.tokens() == before
        assert len(fleet.told(PutBack)) == 1
        async with Fleet(zoom, store=fleet.stores[0], replica="late") as late:
            assert (await late.call()).seen == "accepted"
    assert len(zoom.mints) == 1


@virtual
async def test_a_store_that_lost_the_last_mint_gets_it_back() -> None:
    zoom = Zoom()
    async with replicas(4, zoom) as fleet:
        await fleet.load(5, 2)
        older = fleet.stores[0].copy()
        zoom.kill()
        await fleet.load(5, 2)
        before = fleet.tokens()
        fleet.stores[0].become(older)
        await settled()
        assert fleet.tokens() == before
        outcomes = await fleet.load(5, 2)
        assert {(outcome.seen, outcome.sendings) for outcome in outcomes} == {("accepted", 1)}
    assert len(zoom.mints) == 2


@virtual
async def test_a_store_that_lost_a_mark_only_gets_it_back() -> None:
    zoom = Zoom(refuses={"GET /broken"})
    async with replicas(2, zoom) as fleet:
        await fleet.load(5, 2)
        older = fleet.stores[0].copy()
        for _ in range(3):
            await fleet.all[0].call("GET /broken")
        await asyncio.sleep(1)
        assert "GET /broken" in fleet.all[1].manager.ledger.account.suspects
        mints = len(zoom.mints)
        fleet.stores[0].become(older)
        await settled()
        assert "GET /broken" in fleet.all[1].manager.ledger.account.suspects
        assert (await fleet.all[1].call("GET /broken")).seen == "refused"
    assert len(zoom.mints) == mints


@virtual
async def test_a_replica_that_starts_while_the_store_is_empty_does_no_lasting_harm() -> None:
    zoom = Zoom()
    async with replicas(3, zoom) as fleet:
        await fleet.load(5, 2)
        fleet.cut(down=True)
        fleet.stores[0].become({})
        shared = fleet.stores[0]
        async with replicas(1, zoom) as other:
            other.stores[0]._records = shared._records
            other.stores[0]._written = shared._written
            await asyncio.sleep(5)
            fleet.cut(down=False)
            await settled()
            outcomes = await fleet.load(5, 3)
            assert {outcome.seen for outcome in outcomes} == {"accepted"}
            assert len(fleet.tokens() | other.tokens()) == 1
    assert len(zoom.mints) <= 3


@virtual
async def test_a_store_that_is_emptied_while_a_mint_is_under_way_loses_no_token() -> None:
    zoom = Zoom(mint_latency=1.0)
    async with replicas(3, zoom) as fleet:
        await fleet.load(5, 3)
        zoom.kill()
        call = asyncio.create_task(fleet.all[0].call())
        await asyncio.sleep(0.7)
        assert any(one.manager.ledger.account.minting for one in fleet.all)
        fleet.stores[0].become({})
        outcome = await call
        await settled()
        assert outcome.seen == "accepted"
        assert len(fleet.tokens()) == 1
        outcomes = await fleet.load(5, 2)
        assert {(one.seen, one.sendings) for one in outcomes} == {("accepted", 1)}
    # The lease is lost with the store: another replica may mint, too.
    assert len(zoom.mints) in (2, 3)


@virtual
async def test_a_token_that_comes_before_the_note_of_a_mint_makes_it_needless() -> None:
    """One replica has the lease and has looked; then another's token of an outage arrives."""
    zoom = Zoom()
    async with replicas(2, zoom, latency=0.0) as fleet:
        one, two = fleet.stores
        await fleet.load(5, 2)
        fleet.cut(down=True)
        await asyncio.sleep(10)
        zoom.kill()
        assert (await fleet.all[1].call()).seen == "accepted"

        async def arrive(_: object, fence: Stamp | None) -> None:
            if fence is not None and two.down:
                two.down = False
                await asyncio.sleep(1.5)

        one.before_write = arrive
        one.down = False
        assert (await fleet.all[0].call()).seen == "accepted"
        await settled()
        assert len(fleet.tokens()) == 1
    assert len(zoom.mints) == 2


@virtual
async def test_a_note_of_a_mint_whose_answer_is_lost_is_no_lost_mint() -> None:
    zoom = Zoom()
    async with replicas(1, zoom, latency=0.0) as fleet:
        await fleet.load(5, 2)
        (store,) = fleet.stores
        lost = []

        async def lose(document: dict[str, Any], fence: Stamp | None) -> None:
            if fence is not None and document["minting"]:
                store.before_write = None
                store.lost_answers = 1
                lost.append(fence)

        store.before_write = lose
        zoom.kill()
        assert (await fleet.all[0].call()).seen == "accepted"
        await fleet.load(5, 5)
        assert lost
        assert not fleet.told(LostMint)
    assert len(zoom.mints) == 2


@virtual
async def test_the_younger_of_two_tokens_with_one_generation_wins() -> None:
    zoom = Zoom()
    async with replicas(2, zoom, latency=0.0) as fleet:
        await fleet.load(5, 2)
        one, two = fleet.stores
        older = one.copy()
        fleet.cut(down=True)
        await asyncio.sleep(10)
        zoom.kill()
        await fleet.all[1].call()  # generation 2, minted alone
        await asyncio.sleep(20)
        zoom.kill()
        one.down = False
        await asyncio.sleep(2)
        await fleet.all[0].call()  # generation 2 as well, and younger
        await asyncio.sleep(2)
        one.read_fault = CUT
        one.become(older)
        two.down = False
        await asyncio.sleep(3)
        one.read_fault = None
        one._wake()
        await asyncio.sleep(3)
        outcome = await fleet.all[0].call()
        assert (outcome.seen, outcome.sendings) == ("accepted", 1)


def a_mark(account: Account, now: float) -> Outcome:
    return replace(account, suspects=MappingProxyType({"GET /x": now + 600})), ()


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
@virtual
async def test_a_store_whose_clock_jumps_moves_no_rotation(jump: float) -> None:
    """As when a server with another clock takes over."""
    zoom = Zoom()
    async with replicas(3, zoom, (A0, A1)) as fleet:
        await fleet.load(5, 2)
        clock = JumpingClock()
        for store in fleet.stores:
            store._clock = clock
        await asyncio.sleep(300)
        clock.jump = jump
        fleet.all[0].manager.ledger.apply(a_mark)
        mints = len(zoom.mints)
        await asyncio.sleep(60)
        assert len(zoom.mints) == mints
        for one in fleet.all:
            at = one.manager.ledger.account.rotate_at
            assert at is not None
            assert 1300 < at - one.clock.now() < 1801


@virtual
async def test_a_publication_whose_answer_is_lost_is_one_all_the_same() -> None:
    zoom = Zoom()
    async with replicas(2, zoom) as fleet:
        await fleet.load(5, 2)
        zoom.kill()
        call = asyncio.create_task(fleet.all[0].call())
        while len(zoom.mints) < 2:
            await asyncio.sleep(0.001)
        fleet.stores[0].lost_answers = 1
        assert (await call).seen == "accepted"
        await settled()
        assert not fleet.told(LostMint)
        assert len(fleet.told(Minted)) == 2
        assert fleet.generations() == [2, 2]
    assert len(zoom.mints) == 2
