import asyncio
from pathlib import Path

import pytest

from tests.fleet.deaths import STEPS, Step, late, one_slot, paused, two_slots
from tests.support.fleet import LEASE
from tests.support.fleet_load import Result

WAIT_TIMEOUT = 8.0
TAKEOVER = LEASE + 1.5
"""Seconds: the lease, the look for it, the mint, and a busy machine."""


def _taken_over(result: Result) -> None:
    assert not result.acted_twice, result.story()
    assert max(result.recoveries) <= TAKEOVER, result.story()
    assert not result.seen["violations"], result.story()


@pytest.mark.parametrize("step", STEPS)
async def test_a_holder_killed_in_its_mint_is_replaced_within_the_lease(
    tmp_path: Path, step: Step
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = await asyncio.gather(
        one_slot(tmp_path / "one", step), two_slots(tmp_path / "two", step)
    )
    _taken_over(one)
    assert not one.lost(), one.story()
    assert one.longest <= WAIT_TIMEOUT, one.story()
    _taken_over(two)
    assert not two.lost(), two.story()
    assert two.longest <= 1.0, two.story()


async def test_a_dead_holders_mint_that_comes_about_late_is_cured_and_blamed_on_nobody(
    tmp_path: Path,
) -> None:
    result = await late(tmp_path)
    _taken_over(result)
    assert not result.lost(), result.story()
    assert result.longest <= WAIT_TIMEOUT, result.story()
    # At the start, the late one, the one that took over, and the one that cures.
    assert result.mints == 4, result.story()
    assert result.seen["foreign mints told of for the late one"] == 0, result.story()


@pytest.mark.parametrize("step", ["before the answer", "before publishing"])
async def test_a_holder_that_wakes_up_after_its_lease_publishes_nothing(
    tmp_path: Path, step: Step
) -> None:
    result = await paused(tmp_path, step)
    _taken_over(result)
    (token,) = set(result.seen["tokens before it woke"])
    assert set(result.seen["tokens after"]) == {token}, result.story()
    assert len(result.seen["tokens after"]) == 3, result.story()
    assert result.seen["published by it"] == [], result.story()
    assert result.mints == result.seen["mints before it woke"] == 3, result.story()
    assert not result.lost(), result.story()
