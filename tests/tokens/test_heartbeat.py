"""Who is there: replicas see each other come and go."""

import asyncio

from gateway.core.presence import PRESENT, Presence, Sighting
from gateway.tokens.heartbeat import Heartbeat
from tests.support.failing_store import FailingStore
from tests.support.virtual_time import VirtualClock, virtual


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store = FailingStore(self.clock)
        self.generation = 1
        self.failures: list[Exception] = []
        self.defects: list[Exception] = []

    def replica(self, name: str) -> Heartbeat:
        def presence() -> Presence:
            generations = {"default": self.generation}
            return Presence(name, "1.0", "127.0.0.1:8080", self.clock.wall(), generations)

        return Heartbeat(
            self.store, self.clock, presence, self.failures.append, self.defects.append
        )


def names(heartbeat: Heartbeat) -> list[str]:
    return [one.name for one in heartbeat.sighting.replicas]


@virtual
async def test_replicas_see_each_other_come_and_go() -> None:
    bench = Bench()
    one, two = bench.replica("one"), bench.replica("two")
    assert one.sighting == Sighting()
    one.start()
    two.start()
    await asyncio.sleep(6)
    assert names(one) == names(two) == ["one", "two"]
    assert one.sighting.age is not None
    assert one.sighting.age < 6
    await two.close()
    await asyncio.sleep(6)
    assert names(one) == ["one"]
    await one.close()


@virtual
async def test_another_token_is_told_within_a_second() -> None:
    bench = Bench()
    one = bench.replica("one")
    one.start()
    await asyncio.sleep(0.5)
    bench.generation = 2
    await asyncio.sleep(1.0)
    assert [found.generations for found in one.sighting.replicas] == [{"default": 2}]
    await one.close()


@virtual
async def test_one_that_dies_is_forgotten_after_a_while() -> None:
    bench = Bench()
    one, dead = bench.replica("one"), bench.replica("dead")
    await bench.store.beat(dead._presence())
    one.start()
    await asyncio.sleep(PRESENT - 6)
    assert [round(found.age) for found in one.sighting.replicas if found.name == "dead"] == [
        PRESENT - 10
    ]
    await asyncio.sleep(12)
    assert names(one) == ["one"]
    await one.close()


@virtual
async def test_an_outage_shows_in_its_age_and_ends_nothing() -> None:
    bench = Bench()
    one = bench.replica("one")
    one.start()
    await asyncio.sleep(1)
    bench.store.down = True
    await asyncio.sleep(30)
    assert names(one) == ["one"]
    assert one.sighting.age == 31
    assert [str(problem) for problem in bench.failures] == ["cut"]
    bench.store.down = False
    bench.store.defect = RuntimeError("a defect")
    await asyncio.sleep(10)
    assert one.sighting.age < 6
    assert [str(defect) for defect in bench.defects] == ["a defect"]
    await one.close()


@virtual
async def test_closing_one_that_never_began_does_nothing() -> None:
    await Bench().replica("one").close()
