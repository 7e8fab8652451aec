from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.rolling import DELAY, OUTLASTS, TIMEOUT, behind_haproxy, by_endpoints
from tests.support.fleet_load import Result

RATE = 120
"""Calls a second."""

LIFE = 5.0
"""Seconds that tokens live: they are rotated every 2.5 s, at least twice in the shortest roll."""


ATTEMPTS = 3


async def _rolled(roll: Callable[[Path], Awaitable[Result]], directory: Path) -> Result:
    """A roll in which the balancer kept its part: it noticed within `drain.delay`.

    On a machine so busy that its looks take longer, calls go where nobody listens any more. What
    the gateway does by itself is looked at all the same.
    """
    late = []
    for attempt in range(ATTEMPTS):
        place = directory / str(attempt)
        place.mkdir()
        result = await roll(place)
        _all_went_properly(result)
        late.append(max(going.noticed for going in result.seen["ends"]))
        if late[-1] < DELAY - 0.3:
            return result
    pytest.fail(f"the balancer was late each time: {late}")


def _nothing_lost(result: Result) -> None:
    told = result.story()
    assert {call.status for call in result.calls} <= {200, 201}, told
    assert len(result.calls) > 5 * RATE, told


def _all_went_properly(result: Result) -> None:
    told = result.story()
    assert not result.acted_twice, told
    assert not result.seen["violations"], told
    assert not result.seen["unready or broken"], told
    assert len(result.seen["ends"]) == result.replicas, told
    for going in result.seen["ends"]:
        _left_properly(going, told)


def _left_properly(going: Any, told: str) -> None:
    assert going.code == 0, told
    assert going.readyz == 503, told
    assert going.kept == [(200, []), (200, [b"close"])], told
    assert going.clean, told
    assert not going.transfers, told
    # Not before the transfers were through, and well within what it has.
    assert OUTLASTS - 0.3 <= going.took < DELAY + TIMEOUT, told


async def test_a_roll_behind_haproxy_loses_no_call(tmp_path: Path) -> None:
    result = await _rolled(lambda place: behind_haproxy(place, 4, RATE), tmp_path)
    _nothing_lost(result)
    assert result.mints == 1, result.story()
    assert result.seen["taken out by HAProxy"] >= 4, result.story()


@pytest.mark.parametrize(
    ("replicas", "serve"), [(4, ()), (2, ("--workers", "2"))], ids=["four", "two of two workers"]
)
async def test_a_roll_during_rotations_loses_no_call(
    tmp_path: Path, replicas: int, serve: tuple[str, ...]
) -> None:
    result = await _rolled(
        lambda place: by_endpoints(place, replicas, RATE, LIFE, *serve), tmp_path
    )
    _nothing_lost(result)
    # The first, those that are due at half of a life, and one more for the moments in between.
    assert 2 < result.mints <= 2 + result.seen["seconds"] / (LIFE / 2), result.story()
