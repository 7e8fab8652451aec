import os
from pathlib import Path

from tests.fleet.storm import storm
from tests.fleet.world import FULL, seconds

RATE = 300 if FULL in os.environ else 150
"""Calls a second. Two cores carry twice as many when they have nothing else to do."""


async def test_eight_replicas_under_kills_each_second_lose_no_call(tmp_path: Path) -> None:
    result = await storm(tmp_path, seconds(12), RATE)
    assert result.seen["mints of the cold start"] == 1, result.story()
    assert result.kills >= 6, result.story()
    assert not result.lost(), result.story()
    assert {call.status for call in result.calls} <= {200, 201}, result.story()
    assert not result.acted_twice, result.story()
    assert result.mints - 1 <= result.kills + 2, result.story()
    assert not result.seen["violations"], result.story()
