from pathlib import Path

from tests.fleet import outages
from tests.fleet.world import seconds
from tests.support.fleet_load import Result


def _unseen(result: Result, kills: int = 1) -> None:
    """No caller lost a call, and no token was minted but after a kill."""
    assert not result.lost(), result.story()
    assert not result.acted_twice, result.story()
    assert not result.seen["violations"], result.story()
    assert len(result.seen["tokens"]) == 1, result.story()
    assert result.mints == 1 + kills, result.story()


def _said(result: Result, word: str) -> None:
    """Each replica that missed the store told of it, stayed ready, and told of its return."""
    for status, body in result.seen["readyz while it is down"]:
        assert status == 200, result.story()
        assert word in str(body), result.story()
    assert all(result.seen["store_down lines"].values()), result.story()
    assert all(result.seen["store_up lines"].values()), result.story()
    assert all(status == 200 for status, _ in result.seen["readyz after it"]), result.story()
    assert word not in str(result.seen["readyz after it"]), result.story()


def _back(result: Result) -> None:
    assert result.seen["seconds until the document was back"] <= 6, result.story()


async def test_an_emptied_redis_holds_the_same_token_again_without_a_mint(tmp_path: Path) -> None:
    result = await outages.emptied(tmp_path)
    _unseen(result)
    _back(result)


async def test_a_restarted_redis_holds_the_same_token_again_without_a_mint(tmp_path: Path) -> None:
    result = await outages.restarted(tmp_path)
    _unseen(result)
    _back(result)


async def test_no_call_fails_while_redis_is_away(tmp_path: Path) -> None:
    result = await outages.killed(tmp_path, seconds(8))
    _unseen(result)
    _back(result)
    _said(result, "store")
    assert max(result.recoveries) <= 6, result.story()


async def test_a_partition_is_seen_by_no_caller(tmp_path: Path) -> None:
    result = await outages.partitioned(tmp_path, seconds(6))
    _unseen(result)
    _said(result, "store")
    assert set(result.seen["store_up of the others"]) == {1.0}, result.story()
    assert max(result.recoveries) <= 6, result.story()


async def test_who_is_cut_off_when_the_tokens_die_mints_alone(tmp_path: Path) -> None:
    result = await outages.alone(tmp_path)
    assert not result.lost(), result.story()
    assert not result.acted_twice, result.story()
    assert result.longest <= 8, result.story()
    # At the start, one for those who reach Redis, each of the two others, and one at the end.
    assert result.mints <= 5, result.story()
    assert len(result.seen["tokens"]) == 1, result.story()


async def test_kills_are_cured_over_a_slow_way_to_redis(tmp_path: Path) -> None:
    result = await outages.slow(tmp_path, seconds(6))
    assert result.kills >= 2, result.story()
    _unseen(result, result.kills)
    assert set(result.seen["store_up"]) == {1.0}, result.story()
    assert result.longest <= 4, result.story()


async def test_no_call_fails_while_redis_memory_is_full(tmp_path: Path) -> None:
    result = await outages.full(tmp_path, seconds(5))
    _unseen(result)
    _said(result, "store")
    assert max(result.recoveries) <= 6, result.story()


async def test_no_call_fails_while_sentinel_fails_over(tmp_path: Path) -> None:
    result = await outages.failed_over(tmp_path)
    _unseen(result)
    _said(result, "store")
    assert max(result.recoveries) <= 10, result.story()
