"""Eight replicas keep one account's calls just under its plan's limits, fair to all callers."""

from pathlib import Path

import pytest

from tests.fleet.paced import FLOOD, POLITE, Crowd, Phase, paced_world, phase
from tests.fleet.world import seconds
from tests.support.fleet_load import client_session

SETTLED = 3.0
"""Seconds until nothing is left of how it began."""

USED = 0.95
LIMITED = 0.01


@pytest.mark.parametrize("store", ["redis", "file"])
async def test_a_flooding_caller_slows_itself(tmp_path: Path, store: str) -> None:
    plan, path, allowed = "pro", "/v2/users", 20
    url = f"file://{tmp_path}/tokens" if store == "file" else ""
    async with paced_world(tmp_path, plan, url) as one, client_session(30) as client:
        crowd = Crowd(one, path, client)
        for number in range(POLITE):
            crowd.add(f"polite-{number}")
        calm = await phase(crowd, allowed, SETTLED, seconds(12))
        crowd.add("flood", FLOOD)
        flooded = await phase(crowd, allowed, SETTLED, seconds(12))
        await crowd.stop()
        store_up = await one.fleet.metric("store_up")
    told = "\n".join([calm.tell("calm"), flooded.tell("flooded"), one.fleet.tale()])
    print(told)  # noqa: T201  with -s: the figures of docs/pacing.md
    assert set(store_up) == {1.0}, told
    assert calm.limited <= LIMITED, told
    assert flooded.limited <= LIMITED, told
    assert flooded.used >= USED, told
    for number in range(POLITE):
        _no_longer_than_twice(f"polite-{number}", calm, flooded, told)


def _no_longer_than_twice(caller: str, calm: Phase, flooded: Phase, told: str) -> None:
    before, beside = calm.waits(caller), flooded.waits(caller)
    assert len(before) >= 10, told
    assert len(beside) >= 5, told
    assert max(beside) <= 2 * max(before), f"{caller}: {max(beside):.3f} s\n{told}"


async def test_with_many_callers_all_of_it_is_used(tmp_path: Path) -> None:
    async with paced_world(tmp_path, "business") as one, client_session(30) as client:
        crowd = Crowd(one, "/v2/users/me", client)
        for number in range(POLITE):
            crowd.add(f"polite-{number}", at_once=8)
        seen = await phase(crowd, 80, SETTLED, seconds(12))
        await crowd.stop()
    told = "\n".join([seen.tell("many callers"), one.fleet.tale()])
    print(told)  # noqa: T201  as above
    assert seen.used >= USED, told
    assert seen.limited <= LIMITED, told
    statuses = seen.statuses()
    assert not statuses["paced"], told
