from pathlib import Path

from tests.fleet.skew import both
from tests.fleet.world import seconds


async def test_clocks_that_are_minutes_apart_end_no_token_early_and_none_late(
    tmp_path: Path,
) -> None:
    skewed, right = await both(tmp_path, seconds(13))
    for result in (skewed, right):
        assert not result.lost(), result.story()
        assert not result.acted_twice, result.story()
        assert result.seen["refusals"] == 0, result.story()
        lives = result.seen["seconds that the token is good for, by replica"]
        assert max(lives) - min(lives) < 1, result.story()
        assert result.longest < 1.5, result.story()
    clocks = skewed.seen["clocks"]
    assert max(clocks) - min(clocks) > 200, "the clocks were not shifted"
    assert abs(skewed.mints - right.mints) <= 1, skewed.story() + right.story()
    assert right.mints >= 3, right.story()
