"""How long to wait, and how often at most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.backoff import (
    LONGEST_HOLDOFF,
    RETRY_AFTER_CAP,
    Budget,
    holdoff,
    mint_pause,
)
from gateway.core.errors import NEEDS_OPERATOR, MintFailure

LASTING = sorted({*NEEDS_OPERATOR, MintFailure.INVALID_INDEX})
PASSING = sorted(set(MintFailure) - set(LASTING))


class TestMintPause:
    @pytest.mark.parametrize("failure", PASSING)
    def test_grows_from_half_a_second_to_half_a_minute(self, failure: MintFailure) -> None:
        pauses = [mint_pause(failure, count, None, 0.0) for count in range(1, 10)]
        assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]

    @pytest.mark.parametrize("failure", LASTING)
    def test_is_a_minute_for_what_does_not_pass_by_itself(self, failure: MintFailure) -> None:
        assert [mint_pause(failure, count, None, 0.0) for count in (1, 5, 50)] == [60.0] * 3

    def test_chance_adds_up_to_a_fifth(self) -> None:
        assert mint_pause(MintFailure.TIMEOUT, 3, None, 0.5) == pytest.approx(2.2)
        assert mint_pause(MintFailure.INVALID_CLIENT, 3, None, 0.5) == pytest.approx(66.0)

    def test_zooms_retry_after_is_kept_when_it_is_longer(self) -> None:
        assert mint_pause(MintFailure.RATE_LIMITED, 1, 17.0, 0.0) == 17.0
        assert mint_pause(MintFailure.RATE_LIMITED, 6, 2.0, 0.0) == 16.0

    @pytest.mark.parametrize("failure", MintFailure)
    def test_a_retry_after_beyond_five_minutes_counts_as_five_minutes(
        self, failure: MintFailure
    ) -> None:
        assert mint_pause(failure, 1, 299.75, 0.0) == 299.75
        assert mint_pause(failure, 1, 86_400.0, 0.75) == 300.0

    def test_a_million_failures_are_no_overflow(self) -> None:
        assert mint_pause(MintFailure.TIMEOUT, 1_000_000, None, 0.0) == 30.0

    @given(
        st.sampled_from(MintFailure),
        st.integers(1, 10_000),
        st.none() | st.floats(0.0, 1e6),
        st.floats(0.0, 1.0, exclude_max=True),
    )
    def test_is_at_least_half_a_second_and_what_zoom_asks_and_five_minutes_at_most(
        self, failure: MintFailure, failures: int, retry_after: float | None, jitter: float
    ) -> None:
        pause = mint_pause(failure, failures, retry_after, jitter)
        asked = min(retry_after or 0.0, RETRY_AFTER_CAP)
        assert max(0.5, asked) <= pause <= max(72.0, asked) <= 300.0


class TestHoldoff:
    def test_grows_from_four_seconds_to_a_minute(self) -> None:
        steps = [holdoff(fresh, 0.0) for fresh in range(2, 9)]
        assert steps == [4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]

    def test_is_never_shorter_than_its_first_step(self) -> None:
        assert holdoff(0, 0.0) == 4.0

    @given(st.integers(2, 1000), st.floats(0.0, 1.0, exclude_max=True))
    def test_chance_adds_up_to_a_fifth_and_never_takes_away(
        self, fresh: int, jitter: float
    ) -> None:
        assert holdoff(fresh, 0.0) <= holdoff(fresh, jitter) < holdoff(fresh, 0.0) * 1.2 + 1e-9

    @given(st.integers(0, 1000), st.floats(0.0, 1.0, exclude_max=True))
    def test_none_is_longer_than_the_longest(self, fresh: int, jitter: float) -> None:
        assert holdoff(fresh, jitter) <= LONGEST_HOLDOFF == 72.0


class TestBudget:
    def test_lets_a_burst_through_then_one_every_two_seconds(self) -> None:
        budget, now, mints = Budget(at=0.0), 0.0, []
        for _ in range(123):
            now = budget.turn(now)
            mints.append(now)
            budget = budget.drawn(now)
        assert mints[119:] == [0.0, 2.0, 4.0, 6.0]

    def test_fills_up_again_and_never_beyond_its_burst(self) -> None:
        assert Budget(0.0, 10.0).filled(20.0) == Budget(5.0, 20.0)
        assert Budget(119.0, 10.0).filled(99.0) == Budget(120.0, 99.0)

    def test_has_a_turn_at_once_while_one_mint_is_left(self) -> None:
        assert Budget(1.0, 10.0).turn(10.0) == 10.0
        assert Budget(0.75, 10.0).turn(10.0) == 10.5
        assert Budget(1.0, 10.0).turn(10.0, spare=0.25) == 10.5

    def test_gains_nothing_from_a_clock_that_lags(self) -> None:
        assert Budget(3.0, 10.0).filled(8.0).level == 3.0

    @given(st.lists(st.integers(0, 40).map(lambda n: n / 4), max_size=200))
    def test_never_falls_below_nothing_if_turns_are_kept(self, waits: list[float]) -> None:
        budget, now = Budget(5.0, 0.0), 0.0
        for wait in waits:
            now = budget.turn(now + wait)
            budget = budget.drawn(now)
            assert 0.0 <= budget.level <= Budget.BURST
