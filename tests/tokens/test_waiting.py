"""Those who wait for a token: woken together, each in time, nobody for nothing."""

import asyncio
from typing import Any

from gateway.core.errors import MintFailure
from gateway.core.events import ForeignMint
from gateway.ports import Clock
from gateway.stores.memory import MemoryStore
from tests.support.account import Fleet, Outcome
from tests.support.failing_store import FailingStore
from tests.support.virtual_time import VirtualClock, virtual
from tests.support.zoom_in_memory import Zoom, failure


@virtual
async def test_all_who_wait_are_woken_by_the_token() -> None:
    async with Fleet(Zoom(mint_latency=2.0)) as fleet:
        outcomes = await asyncio.gather(*(fleet.call() for _ in range(50)))
    assert {outcome.seen for outcome in outcomes} == {"accepted"}
    assert max(outcome.took for outcome in outcomes) < 2.5


@virtual
async def test_each_waits_as_long_as_it_may_whoever_came_before_it() -> None:
    async with Fleet(Zoom(mint_latency=100.0), mint_timeout=60.0) as fleet:

        async def late(seconds: float) -> Outcome:
            await asyncio.sleep(seconds)
            return await fleet.call()

        outcomes = await asyncio.gather(*map(late, (0.0, 0.5, 0.5, 1.5)))
    assert {outcome.seen for outcome in outcomes} == {"unavailable"}
    assert all(abs(outcome.took - fleet.manager.wait_timeout) < 0.01 for outcome in outcomes)


@virtual
async def test_one_who_may_wait_less_than_those_before_it_is_told_first() -> None:
    zoom = Zoom(latency=0.01)
    async with Fleet(zoom) as fleet:
        await fleet.call()
        zoom.mint_latency = 2.0
        zoom.kill()
        spent = asyncio.create_task(fleet.call())  # waits for the first replacement
        await asyncio.sleep(1.9)
        zoom.mint_latency = 100.0
        await asyncio.sleep(0.15)
        zoom.kill()  # and the replacement is refused, too
        others = [asyncio.create_task(fleet.call()) for _ in range(3)]
        assert (await spent).took <= fleet.manager.wait_timeout + 0.1
        assert not any(other.done() for other in others)
        outcomes = await asyncio.gather(*others)
    assert all(outcome.took <= fleet.manager.wait_timeout + 0.1 for outcome in outcomes)


@virtual
async def test_who_stops_waiting_takes_the_token_from_nobody() -> None:
    async with Fleet(Zoom(mint_latency=2.0)) as fleet:
        impatient = [asyncio.create_task(fleet.call()) for _ in range(5)]
        patient = asyncio.create_task(fleet.call())
        await asyncio.sleep(0.5)
        for task in impatient:
            task.cancel()
        assert (await patient).seen == "accepted"
        await asyncio.wait(impatient)
    assert all(task.cancelled() for task in impatient)


@virtual
async def test_who_cannot_be_helped_in_time_is_told_as_soon_as_that_is_known() -> None:
    zoom = Zoom(mint_latency=1.0)
    zoom.mint_error = lambda _: failure(MintFailure.INVALID_CLIENT)
    async with Fleet(zoom) as fleet:
        outcomes = await asyncio.gather(*(fleet.call() for _ in range(3)))
    assert {outcome.seen for outcome in outcomes} == {"unavailable"}
    assert all(0.4 < outcome.took < 1.5 for outcome in outcomes)


@virtual
async def test_forty_refusals_at_once_are_written_as_one() -> None:
    store = FailingStore(VirtualClock())
    store.latency = lambda: 0.004
    async with Fleet(Zoom(), store=store) as fleet:
        await fleet.call()
        await asyncio.sleep(1)
        written: list[dict[str, Any]] = []

        async def note(document: dict[str, Any], _: object) -> None:
            written.append(document)

        store.before_write = note
        fleet.zoom.kill()
        outcomes = await asyncio.gather(*(fleet.call() for _ in range(40)))
        await asyncio.sleep(1)
    assert {outcome.seen for outcome in outcomes} == {"accepted"}
    # Set aside with the note of the mint, the new token, and that it was accepted.
    assert len(written) == 3
    assert written[0]["minting"] is not None
    assert written[0]["slots"][0]["phase"] == "aside"
    assert written[1]["slots"][0]["token"]["accepted_at"] is None
    assert written[2]["slots"][0]["token"]["accepted_at"] is not None
    assert written[2]["incident"] is None
    assert len(fleet.told.of(ForeignMint)) == 1


class Listening(MemoryStore):
    """Notes what it is asked for, but for news."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.asked: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in {"read", "write", "acquire", "seize", "release"}:
            self.asked.append(name)
        return super().__getattribute__(name)


@virtual
async def test_a_refusal_waits_for_the_store_before_and_after_its_mint_and_no_more() -> None:
    store = Listening(VirtualClock())
    async with Fleet(Zoom(), store=store) as fleet:
        await fleet.call()
        await asyncio.sleep(1)
        store.asked.clear()
        fleet.zoom.kill()
        assert (await fleet.call()).seen == "accepted"
        await asyncio.sleep(1)
        # The lease with the note, the token with the lease's end; later, that it was accepted.
        assert [one for one in store.asked if one != "read"] == ["seize", "write", "write"]
        assert (await store.read("default")).lease_owner is None


@virtual
async def test_what_another_replica_wrote_meanwhile_is_seen_before_a_mint() -> None:
    clock = VirtualClock()
    shared = MemoryStore(clock)
    zoom = Zoom()
    deaf = FailingStore(clock, shared)
    async with Fleet(zoom, store=deaf, replica="one") as one:
        await one.call()
        await asyncio.sleep(1)
        async with Fleet(zoom, store=shared, replica="two") as two:
            await asyncio.sleep(1)
            # Each step of this one takes longer than the other's whole mint.
            deaf.latency = lambda: 0.2
            zoom.kill()
            outcomes = await asyncio.gather(two.call(), one.call())
    assert {outcome.seen for outcome in outcomes} == {"accepted"}
    assert len(zoom.mints) == 2
