"""Minutes of calls: who makes them, what Zoom refuses, and when that is too much."""

import pytest

from gateway.core.rate_use import (
    HOUR,
    OTHERS,
    RECENT,
    SHOWN,
    STEP,
    Errors,
    RateUse,
    Used,
)
from gateway.core.ratelimit import Kind, Limited

BEGAN = 1000 * STEP


def calls(use: RateUse, count: int, *, errors: int = 0, now: float = BEGAN) -> None:
    for number in range(count):
        use.sent(now, "crm", "light")
        if number < errors:
            use.failed(1, 0)


class TestTheErrorRatio:
    def test_of_nothing_is_nothing(self) -> None:
        use = RateUse(BEGAN)
        assert use.ratio(BEGAN, HOUR) == Errors(HOUR, 0, 0)
        assert use.ratio(BEGAN, HOUR).ratio == 0.0
        assert use.judge(BEGAN) is None

    def test_counts_every_time_that_zoom_was_asked(self) -> None:
        use = RateUse(BEGAN)
        use.sent(BEGAN, "crm", "light")
        use.failed(2, 3)
        assert use.ratio(BEGAN, RECENT) == Errors(RECENT, 4, 2)
        assert use.ratio(BEGAN, RECENT).ratio == 0.5
        assert (use.requests, use.errors) == (4, 2)

    def test_looks_back_so_many_minutes(self) -> None:
        use = RateUse(BEGAN)
        calls(use, 3, errors=1)
        for minutes, found in ((RECENT, 3), (RECENT + 1, 0)):
            assert use.ratio(BEGAN + minutes * STEP, RECENT).requests == found
        for minutes, found in ((HOUR, 3), (HOUR + 1, 0)):
            assert use.ratio(BEGAN + minutes * STEP, HOUR).requests == found

    def test_forgets_what_is_older_than_an_hour(self) -> None:
        use = RateUse(BEGAN)
        for minute in range(3 * HOUR):
            use.sent(BEGAN + minute * STEP, "crm", None)
        assert use.ratio(BEGAN + (3 * HOUR - 1) * STEP, HOUR).requests == HOUR + 1
        assert use.ratio(BEGAN + (3 * HOUR - 1) * STEP, 9 * HOUR).requests == HOUR + 1

    @pytest.mark.parametrize(
        ("count", "errors", "minutes"),
        [
            (99, 49, None),  # too few
            (100, 19, None),
            (100, 20, HOUR),
            (50, 25, RECENT),
            (49, 49, None),
        ],
    )
    def test_is_high_from_there_on(self, count: int, errors: int, minutes: int | None) -> None:
        use = RateUse(BEGAN)
        calls(use, count, errors=errors)
        found = use.judge(BEGAN)
        assert found == (None if minutes is None else Errors(minutes, count, errors))
        assert use.high is (minutes is not None)

    def test_an_hour_of_good_calls_does_not_hide_what_begins_to_fail(self) -> None:
        use = RateUse(BEGAN)
        calls(use, 1000)
        now = BEGAN + (RECENT + 1) * STEP
        calls(use, 60, errors=40, now=now)
        assert use.judge(now) == Errors(RECENT, 60, 40)

    def test_stays_high_until_it_is_well_below(self) -> None:
        use = RateUse(BEGAN)
        calls(use, 100, errors=20)
        assert use.judge(BEGAN)
        calls(use, 30)
        assert use.judge(BEGAN) == Errors(HOUR, 130, 20)
        calls(use, 10)
        assert use.judge(BEGAN) is None
        assert use.high is False

    def test_ends_when_no_call_comes_any_more(self) -> None:
        use = RateUse(BEGAN)
        calls(use, 100, errors=100)
        assert use.judge(BEGAN + HOUR * STEP)
        assert use.judge(BEGAN + (HOUR + 1) * STEP) is None


def test_the_first_call_of_a_minute_is_told() -> None:
    use = RateUse(BEGAN)
    moments = [BEGAN, BEGAN + STEP - 1, BEGAN + STEP, BEGAN + STEP, BEGAN + 9 * STEP]
    assert [use.sent(now, "crm", None) for now in moments] == [False, False, True, False, True]


class TestWhoUsesIt:
    def test_by_category(self) -> None:
        use = RateUse(BEGAN)
        for who, category in (("crm", "light"), ("bi", "light"), ("crm", "light"), ("bi", None)):
            use.sent(BEGAN, who, category)
        assert use.used(BEGAN) == {
            "light": Used(3, (("crm", 2), ("bi", 1))),
            "unknown": Used(1, (("bi", 1),)),
        }

    def test_of_the_last_minutes_alone(self) -> None:
        use = RateUse(BEGAN)
        use.sent(BEGAN, "crm", "light")
        use.limited("crm", Limited("light", Kind.DAILY, None))
        later = BEGAN + RECENT * STEP
        use.sent(later, "bi", "light")
        assert use.used(later)["light"].total == 2
        assert use.refused(later)
        use.sent(later + STEP, "bi", "light")
        assert use.used(later + STEP)["light"] == Used(2, (("bi", 2),))
        assert use.refused(later + STEP) == {}
        assert use.ratio(later + STEP, HOUR).requests == 3

    def test_the_first_few_are_named(self) -> None:
        use = RateUse(BEGAN)
        for number in range(SHOWN + 2):
            for _ in range(number + 1):
                use.sent(BEGAN, f"caller {number}", "heavy")
        used = use.used(BEGAN)["heavy"]
        assert used.callers[0] == (f"caller {SHOWN + 1}", SHOWN + 2)
        assert used.callers[-1] == (OTHERS, 3)
        assert len(used.callers) == SHOWN + 1
        assert sum(count for _, count in used.callers) == used.total

    def test_many_callers_do_not_fill_the_memory(self) -> None:
        use = RateUse(BEGAN)
        for number in range(5000):
            use.sent(BEGAN, f"caller {number}", "heavy")
            use.limited(f"caller {number}", Limited("heavy", Kind.PER_SECOND, None))
        minute = use._minute
        assert len(minute.used) < 100
        assert len(minute.limited) < 100
        assert use.used(BEGAN)["heavy"].total == 5000
        refused = use.refused(BEGAN)[("heavy", Kind.PER_SECOND)]
        assert (refused.total, refused.callers[-1]) == (5000, (OTHERS, 5000 - SHOWN))


def test_429s_are_told_apart_by_category_and_kind() -> None:
    use = RateUse(BEGAN)
    use.sent(BEGAN, "crm", "light")
    for who, kind in (("crm", Kind.DAILY), ("bi", Kind.DAILY), ("crm", Kind.PER_USER)):
        use.limited(who, Limited("light", kind, None))
    use.limited("crm", Limited("light", Kind.DAILY, 1.0))
    assert use.refused(BEGAN) == {
        ("light", Kind.DAILY): Used(3, (("crm", 2), ("bi", 1))),
        ("light", Kind.PER_USER): Used(1, (("crm", 1),)),
    }
