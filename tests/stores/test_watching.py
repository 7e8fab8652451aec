"""One look at all files, for all who wait."""

import asyncio
from collections.abc import Mapping, Sequence

from gateway.core.errors import StoreUnavailableError
from gateway.stores.watching import LOOK_EVERY, MOST_READ, POLL, Watch
from tests.support.virtual_time import virtual


class Disk:
    """Files by name, and how often they were looked at."""

    def __init__(self, *names: str) -> None:
        self.files = dict.fromkeys(names, 0)
        self.looks = 0
        self.broken = False

    async def look(self, names: Sequence[str]) -> Mapping[str, object]:
        self.looks += 1
        if self.broken:
            raise StoreUnavailableError("it hangs")
        return {name: self.files.get(name, ()) for name in names}


async def woken(watch: Watch, *names: str) -> dict[str, int]:
    """How often each was told to read, within a second."""
    counts = dict.fromkeys(names, 0)

    async def follow(name: str) -> None:
        while True:
            await watch.news(name).wait()
            counts[name] += 1

    tasks = [asyncio.create_task(follow(name)) for name in names]
    await asyncio.sleep(1)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return counts


@virtual
async def test_who_waits_for_a_file_that_changed_is_woken_and_nobody_else() -> None:
    disk = Disk("a", "b")
    watch = Watch(disk.look)
    assert await woken(watch, "a", "b") == {"a": 1, "b": 1}  # what was there before is unknown
    news, other = watch.news("a"), watch.news("b")
    disk.files["a"] += 1
    await asyncio.sleep(2 * POLL)
    assert (news.is_set(), other.is_set()) == (True, False)
    # Together with who waits already.
    assert watch.news("b") is other
    await watch.close()
    assert other.is_set()


@virtual
async def test_each_is_read_now_and_then_though_nothing_seems_to_have_changed() -> None:
    disk = Disk("a")
    watch = Watch(disk.look)
    await woken(watch, "a")
    news = watch.news("a")
    await asyncio.sleep(POLL * (LOOK_EVERY + 1))
    assert news.is_set()
    await watch.close()


@virtual
async def test_a_thousand_files_are_one_look_and_few_readings() -> None:
    names = [f"account-{number}" for number in range(1000)]
    disk = Disk(*names)
    watch = Watch(disk.look)
    await woken(watch, *names)
    looks = disk.looks
    counts = await woken(watch, *names)
    assert disk.looks - looks <= 1 / POLL + 1
    assert 0 < sum(counts.values()) <= MOST_READ * (1 / POLL + 1)
    await watch.close()


@virtual
async def test_a_file_that_was_changed_between_reading_and_waiting_is_noticed() -> None:
    disk = Disk("a")
    watch = Watch(disk.look)
    await woken(watch, "a")
    news = watch.news("a")
    disk.files["a"] += 1  # after it was taken, before it is waited for
    await asyncio.wait_for(news.wait(), 2 * POLL)
    await watch.close()


@virtual
async def test_all_read_when_the_disk_fails() -> None:
    disk = Disk("a", "b")
    watch = Watch(disk.look)
    disk.broken = True
    waiting = [watch.news(name) for name in disk.files]
    await asyncio.sleep(2 * POLL)
    assert all(one.is_set() for one in waiting)
    disk.broken = False
    assert (await woken(watch, "a"))["a"] == 1
    await watch.close()


@virtual
async def test_nobody_waits_and_nothing_is_looked_at() -> None:
    disk = Disk("a")
    watch = Watch(disk.look)
    await asyncio.wait_for(watch.news("a").wait(), 1)
    await asyncio.sleep(1)
    looks = disk.looks
    await asyncio.sleep(100)
    assert disk.looks == looks
    await watch.close()
