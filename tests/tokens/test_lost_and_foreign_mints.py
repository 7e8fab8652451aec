"""Who killed a token: a mint of ours that got lost, or another program's."""

import asyncio
import itertools

import pytest

from gateway.core.course import rotation_start
from gateway.core.events import ForeignMint, LostMint, SlotsLinked
from gateway.core.token import Token
from gateway.ports import Lease
from gateway.stores.memory import MemoryStore
from tests.support.account import A0, A1, Fleet, load
from tests.support.virtual_time import VirtualClock, virtual
from tests.support.zoom_in_memory import Zoom

APART = frozenset((A0, A1))


class TickingClock(VirtualClock):
    """A clock on which no two looks are at the same moment."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = itertools.count()

    def now(self) -> float:
        return super().now() + next(self._looks) * 1e-6


class NoRenewals(MemoryStore):
    """Leases end when they end."""

    async def renew(self, lease: Lease, ttl: float) -> bool:
        del lease, ttl
        return False


def active(fleet: Fleet) -> Token:
    token = fleet.manager.ledger.account.active
    assert token is not None
    return token


async def until_rotation(fleet: Fleet, seconds_before: float) -> None:
    account, course = fleet.manager.ledger.account, fleet.manager._loop.course()
    start = rotation_start(account, active(fleet), course)
    await asyncio.sleep(start - seconds_before - fleet.clock.now())


async def meet(fleet: Fleet) -> None:
    """A call is refused with the dead token, and accepted with the next."""
    outcome = await fleet.call()
    assert (outcome.seen, outcome.sendings) == ("accepted", 2)
    await asyncio.sleep(0.1)


class TestAForeignMintBeforeARotation:
    @pytest.mark.parametrize("seconds", [60.0, 1.0, 0.1, 0.001])
    @virtual
    async def test_does_not_link_the_two_slots(self, seconds: float) -> None:
        zoom = Zoom(life=1000)
        async with Fleet(zoom, (A0, A1)) as fleet:
            await fleet.call()
            await until_rotation(fleet, seconds)
            zoom.issue(A0)
            outcomes = await load(fleet, 0.1, 100) if seconds < 1 else []
            await asyncio.sleep(70)
            assert [slot for _, slot in zoom.mints] == [A0, A1]
            assert APART not in fleet.manager.ledger.account.apart
            # The next rotation starts from a living token, and shows how they stand.
            await load(fleet, 1, 600)
            assert fleet.manager.ledger.account.apart[APART] is True
        assert {outcome.seen for outcome in outcomes} <= {"accepted"}
        assert not fleet.told.of(SlotsLinked)

    @pytest.mark.parametrize("seconds", [60.0, 1.0, 0.2])
    @virtual
    async def test_is_counted_when_a_call_meets_it(self, seconds: float) -> None:
        zoom = Zoom(life=1000)
        async with Fleet(zoom, (A0, A1)) as fleet:
            await fleet.call()
            await until_rotation(fleet, seconds)
            zoom.issue(A0)
            await meet(fleet)
            assert [event.generation for event in fleet.told.of(ForeignMint)] == [1]
            await load(fleet, 1, 1200)
        assert len(fleet.told.of(ForeignMint)) == 1
        assert not fleet.told.of(SlotsLinked)

    @virtual
    async def test_is_seen_by_one_probe_before_the_mint_and_none_after_it(self) -> None:
        zoom = Zoom(life=1000)
        async with Fleet(zoom, (A0, A1)) as fleet:
            await fleet.call()
            await until_rotation(fleet, 1)
            zoom.issue(A0)
            await asyncio.sleep(70)
        assert len(zoom.probes) == 1
        assert zoom.probes[0] < zoom.mints[1][0]


@virtual
async def test_a_rotation_probes_before_and_after_it_once_and_never_again() -> None:
    zoom = Zoom(life=1000)
    async with Fleet(zoom, (A0, A1)) as fleet:
        await load(fleet, 1, 1900)
        assert dict(fleet.manager.ledger.account.apart) == {APART: True}
    assert len(zoom.mints) == 4
    before, after = zoom.probes
    assert before < zoom.mints[1][0] < after


@virtual
async def test_a_rotation_whose_probe_has_no_verdict_compares_nothing() -> None:
    zoom = Zoom(life=1000, mode="app-max:1")
    async with Fleet(zoom, (A0, A1)) as fleet:
        await fleet.call()
        await until_rotation(fleet, 1)
        zoom.latency = 5.0
        await asyncio.sleep(10)
        assert len(zoom.mints) == 2
        assert not fleet.manager.ledger.account.apart
    assert not fleet.told.of(SlotsLinked)


@pytest.mark.parametrize("minutes", [1, 10, 45])
@virtual
async def test_a_foreign_mint_long_after_a_lost_one_is_counted(minutes: float) -> None:
    zoom = Zoom(mint_latency=100.0)
    async with Fleet(zoom) as fleet:
        first = asyncio.create_task(fleet.call())
        await asyncio.sleep(4.2)
        zoom.mint_latency = 0.1
        assert (await first).seen == "accepted"
        assert fleet.told.of(LostMint) == [LostMint(A0)]
        await load(fleet, 0.2, 60 * minutes)
        zoom.issue(A0)
        await meet(fleet)
    assert fleet.told.of(ForeignMint) == [ForeignMint(1, A0)]


@virtual
async def test_a_lost_mint_that_comes_about_late_is_no_foreign_one() -> None:
    zoom = Zoom(mint_latency=100.0)
    async with Fleet(zoom) as fleet:
        first = asyncio.create_task(fleet.call())
        await asyncio.sleep(4.2)
        zoom.mint_latency = 0.1
        assert (await first).seen == "accepted"
        await asyncio.sleep(20)
        # What was asked for first is carried out last.
        zoom.issue(A0)
        await meet(fleet)
        await load(fleet, 1, 60)
    assert not fleet.told.of(ForeignMint)


@virtual
async def test_a_foreign_mint_is_counted_although_a_replica_died_minting_before() -> None:
    zoom = Zoom(mint_latency=3.0)
    clock = TickingClock()
    store = MemoryStore(clock)
    dying = Fleet(zoom, store=store, clock=clock, replica="dying")
    runner = asyncio.create_task(dying.manager._run())
    await asyncio.sleep(1)
    runner.cancel()
    await asyncio.wait([runner])
    zoom.mint_latency = 0.1
    async with Fleet(zoom, store=store, clock=clock, replica="next") as fleet:
        await fleet.call()
        assert fleet.told.of(LostMint) == [LostMint(A0)]
        await load(fleet, 1, 600)
        zoom.issue(A0)
        await meet(fleet)
    assert fleet.told.of(ForeignMint) == [ForeignMint(1, A0)]


@virtual
async def test_a_mint_that_comes_after_the_end_of_its_lease_is_lost_and_harms_no_other() -> None:
    zoom = Zoom(mint_latency=3.5)
    clock = VirtualClock()
    store = NoRenewals(clock)
    slow = Fleet(zoom, store=store, clock=clock, replica="slow")
    quick = Fleet(zoom, store=store, clock=clock, replica="quick")
    async with slow, quick:
        await asyncio.sleep(3.2)
        zoom.mint_latency = 0.1
        await asyncio.sleep(0.4)
        # The slow one's token was dropped; the other's mint is still noted as in progress.
        assert len(zoom.mints) == 1
        assert slow.told.of(LostMint) == [LostMint(A0)]
        for fleet in (slow, quick):
            await fleet.manager.ledger.refresh()
            minting = fleet.manager.ledger.account.minting
            assert minting is not None
            assert minting.holder == "quick"
        outcomes = await asyncio.gather(slow.call(), quick.call())
        assert [outcome.seen for outcome in outcomes] == ["accepted"] * 2
        assert active(slow) == active(quick)
        assert active(slow).minter == "quick"
    assert len(zoom.mints) == 2
