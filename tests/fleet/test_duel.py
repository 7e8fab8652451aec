from pathlib import Path

from tests.fleet.duel import duel
from tests.fleet.world import seconds

WAIT_TIMEOUT = 8.0


async def test_two_fleets_that_share_an_app_mint_seldom_and_say_why(tmp_path: Path) -> None:
    lasting = seconds(15)
    for result in await duel(tmp_path, lasting):
        story = result.story()
        # One every two seconds, and what was left of the burst.
        assert result.mints <= max(0.55 * lasting, 0.5 * lasting + 2), story
        assert result.longest <= WAIT_TIMEOUT + 0.5, story
        assert result.seen["share of calls with Zoom's refusal"] < 0.03, story
        assert all(call.status in {200, 201, 401} for call in result.calls), story
        assert not result.acted_twice, story
        assert result.seen["foreign mints"] > 0, story
        assert result.seen["foreign_mint lines"] > 0, story
        assert all("foreign_mint" in codes for codes in result.seen["diagnoses"]), story
