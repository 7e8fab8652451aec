import asyncio

from gateway.ports import NOTHING, Stored
from gateway.stores.memory import MemoryStore
from gateway.wiring.detachable import Detachable
from tests.support.listening import MonotonicClock, until

A, OWNER = "default", "gw-1"


async def test_until_it_is_cut_it_is_the_store() -> None:
    store = MemoryStore(MonotonicClock())
    way = Detachable(store, MonotonicClock())
    revision = await way.write(A, {"by": "us"}, revision=NOTHING)
    assert revision is not None
    assert (await store.read(A)).document == {"by": "us"}
    waiting = asyncio.create_task(way.changed(A, revision))
    await asyncio.sleep(0)
    await store.write(A, {"by": "others"}, revision=revision)
    await asyncio.wait_for(waiting, 5)
    lease = await way.acquire(A, OWNER, 5)
    assert lease is not None
    assert await way.renew(lease, 5)
    assert await store.acquire(A, "gw-2", 5) is None
    await way.release(lease)
    assert await store.acquire(A, "gw-2", 5) is not None


async def test_cut_it_goes_on_from_what_it_saw_last_and_touches_nothing() -> None:
    store = MemoryStore(MonotonicClock())
    way = Detachable(store, MonotonicClock())
    revision = await store.write(A, {"by": "us"}, revision=NOTHING)
    seen = await way.read(A)
    assert revision is not None
    way.detach()
    theirs = await store.write(A, {"by": "the successor"}, revision=revision)
    again = await way.read(A)
    # The same revision: a ledger sees that nothing happened, and keeps what it holds.
    assert (again.document, again.revision) == (seen.document, seen.revision)
    assert abs(again.now - seen.now) < 5
    lease = await way.acquire(A, OWNER, 5)
    assert lease is not None
    written = await way.write(A, {"by": "us still"}, revision=revision, fence=lease.fence)
    assert written is not None
    assert (await way.read(A)).document == {"by": "us still"}
    assert (await store.read(A)).revision == theirs
    assert await store.acquire(A, "gw-2", 5) is not None


async def test_who_waits_for_a_change_hears_of_none_after_the_cut() -> None:
    store = MemoryStore(MonotonicClock())
    way = Detachable(store, MonotonicClock())
    waiting = asyncio.create_task(way.changed(A, NOTHING))
    await asyncio.sleep(0)
    way.detach()
    await store.write(A, {"by": "the successor"}, revision=NOTHING)
    late = asyncio.create_task(way.changed(A, NOTHING))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    assert not late.done()
    for task in (waiting, late):
        task.cancel()
    await until(lambda: waiting.done() and late.done())


async def test_a_lease_taken_before_the_cut_is_given_back_to_the_store() -> None:
    store = MemoryStore(MonotonicClock())
    way = Detachable(store, MonotonicClock())
    lease = await way.acquire(A, OWNER, 60)
    assert lease is not None
    way.detach()
    assert not await way.renew(lease, 60)
    await way.release(lease)
    assert await store.acquire(A, "gw-2", 5) is not None


class SlowStore(MemoryStore):
    """Answers when the gate is open."""

    def __init__(self) -> None:
        super().__init__(MonotonicClock())
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, account: str) -> Stored:
        await self.gate.wait()
        return await super().read(account)


async def test_a_read_that_was_under_way_at_the_cut_shows_nothing_of_the_successor() -> None:
    store = SlowStore()
    way = Detachable(store, MonotonicClock())
    await store.write(A, {"by": "us"}, revision=NOTHING)
    seen = await way.read(A)
    store.gate.clear()
    reading = asyncio.create_task(way.read(A))
    await asyncio.sleep(0)
    way.detach()
    await store.write(A, {"by": "the successor"}, revision=seen.revision)
    store.gate.set()
    assert (await reading).document == {"by": "us"}
