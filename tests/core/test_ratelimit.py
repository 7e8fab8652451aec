"""Which limit a 429 is about, when Zoom takes calls again, and whether to wait for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ratelimit import (
    CATEGORIES,
    SECOND,
    UNKNOWN_CATEGORY,
    Kind,
    Limited,
    Told,
    category_in,
    date,
    last_sending,
    limited,
    retry_after,
    retry_in,
    told,
)

SECONDS = "You have reached the maximum per-second rate limit for this API. Try again later."
DAY = (
    "You have reached the maximum daily rate limit for this API. Refer to the response header for"
    " details on when you can make another request."
)
USER = (
    "You have exceeded the daily rate limit (100) of Meeting Create/Update API requests permitted"
    " for this particular user. You may resume these requests at GMT 00:00:00."
)
AT_ONCE = "Too many concurrent requests. A request to disassociate this user has already been made."

NOON = 1_590_926_400.0
"""2020-05-31T12:00:00Z."""


def header(
    category: str | None = None,
    kind: str | None = None,
    remaining: int | None = None,
    **more: bytes,
) -> dict[bytes, bytes]:
    fields = {
        b"x-ratelimit-category": category,
        b"x-ratelimit-type": kind,
        b"x-ratelimit-remaining": remaining,
    }
    said = {name: str(value).encode() for name, value in fields.items() if value is not None}
    return said | {name.replace("_", "-").encode(): value for name, value in more.items()}


class TestWhichLimit:
    @pytest.mark.parametrize(
        ("message", "values", "kind"),
        [
            # The message alone: many answers carry nothing but the category.
            (SECONDS, header("Light"), Kind.PER_SECOND),
            (SECONDS, {}, Kind.PER_SECOND),
            (SECONDS, header("Resource-intensive"), Kind.PER_MINUTE),
            ("The per-minute rate limit was reached.", header("Light"), Kind.PER_MINUTE),
            (DAY, header("Heavy"), Kind.DAILY),
            (USER, header("Light"), Kind.PER_USER),
            (AT_ONCE, header("Light"), Kind.CONCURRENT),
            # The message beats the header.
            (USER, header("Light", "Daily-limit", 5893), Kind.PER_USER),
            (AT_ONCE, header("Light", "QPS"), Kind.CONCURRENT),
            (SECONDS, header("Light", "Daily-limit"), Kind.PER_SECOND),
            # The header alone: pages of the front have no message, HEAD has no body.
            ("", header("Light", "QPS"), Kind.PER_SECOND),
            ("", header("Resource-intensive", "QPS"), Kind.PER_MINUTE),
            ("", header(None, "qps", 0), Kind.PER_SECOND),
            ("", header("Light", "Daily-limit", 0), Kind.DAILY),
            ("", header("Light", "Daily-limit"), Kind.DAILY),
            ("", header("Light", "Daily-limit", 5893), Kind.PER_USER),
            ("", header("Light", "Light"), Kind.UNKNOWN),
            ("Slow down.", {}, Kind.UNKNOWN),
            ("", {}, Kind.UNKNOWN),
        ],
    )
    def test_is_told_by_message_and_header(
        self, message: str, values: dict[bytes, bytes], kind: Kind
    ) -> None:
        assert limited(values, message, None, NOON).kind is kind

    def test_the_operations_category_counts_by_the_minute_too(self) -> None:
        assert limited({}, SECONDS, "resource-intensive", NOON).kind is Kind.PER_MINUTE
        values = header(None, "QPS")
        assert limited(values, "", "resource-intensive", NOON).kind is Kind.PER_MINUTE
        assert limited(values, "", "heavy", NOON).kind is Kind.PER_SECOND

    def test_the_headers_category_beats_the_operations(self) -> None:
        assert limited(header("Heavy"), SECONDS, "light", NOON).category == "heavy"
        assert limited(header("Strange"), SECONDS, "light", NOON).category == "light"
        assert limited({}, SECONDS, None, NOON).category == UNKNOWN_CATEGORY

    @pytest.mark.parametrize(
        ("value", "category"),
        [
            (b"Light", "light"),
            (b" MEDIUM ", "medium"),
            (b"heavy", "heavy"),
            (b"Resource-intensive", "resource-intensive"),
            (b"Resource Intensive", "resource-intensive"),
            (b"RESOURCE_INTENSIVE", "resource-intensive"),
            (b"Light, Heavy", None),
            (b"", None),
            (b"\xff", None),
        ],
    )
    def test_categories_are_read_in_any_spelling(self, value: bytes, category: str | None) -> None:
        assert category_in(value) == category

    def test_what_an_answer_tells(self) -> None:
        values = header("Light", "Daily-limit", 5893, x_ratelimit_limit=b"6000")
        assert told(values) == Told("light", Kind.DAILY, 6000, 5893)
        assert told({b"x-ratelimit-remaining": b"-1"}) == Told(None, Kind.UNKNOWN, None, None)


class TestItsTime:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            (b"0", 0.0),
            (b" 17 ", 17.0),
            (b"2020-05-31T12:00:03Z", 3.0),
            (b"2020-05-31T12:00:03.250Z", 3.25),
            (b"2020-05-31T14:00:03+02:00", 3.0),
            (b"2020-05-31T12:00:03", 3.0),
            (b"2020-05-31 12:00:03", 3.0),
            (b"2020-06-01T00:00:00Z", 43_200.0),
            (b"2020-05-31T11:00:00Z", 0.0),
            (b"Sun, 31 May 2020 12:00:05 GMT", 5.0),
            (b"Sunday, 31-May-20 12:00:05 GMT", 5.0),
            (b"Sun May 31 12:00:05 2020", 5.0),
        ],
    )
    def test_is_read_in_all_forms(self, value: bytes, seconds: float) -> None:
        assert retry_after(value, NOON) == seconds

    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"soon",
            b"-1",
            b"1.5",
            b"2020-05-31",
            b"2020-13-45T00:00:00Z",
            b"Tomorrow at noon",
            b"99999-01-01T00:00:00Z",
            b"\xff\xfe",
            b"Sun, 31 May 99999999999 12:00:05 GMT",
        ],
    )
    def test_what_is_none_of_them_says_nothing(self, value: bytes) -> None:
        assert retry_after(value, NOON) is None

    @given(value=st.binary(max_size=64) | st.from_regex(rb"[0-9TZ:+. -]{1,40}"))
    def test_nothing_makes_it_raise_or_negative(self, value: bytes) -> None:
        seconds = retry_after(value, NOON)
        assert seconds is None or seconds >= 0

    def test_zooms_own_clock_counts_where_it_says_the_time(self) -> None:
        values = {
            b"retry-after": b"2020-05-31T12:00:03Z",
            b"date": b"Sun, 31 May 2020 12:00:01 GMT",
        }
        late = NOON + 3600
        assert limited(values, SECONDS, "light", late).wait == 2.0
        del values[b"date"]
        assert limited(values, SECONDS, "light", NOON).wait == 3.0
        assert limited({}, SECONDS, "light", NOON).wait is None

    def test_a_date_is_read_or_not(self) -> None:
        assert date(b"Sun, 31 May 2020 12:00:00 GMT") == NOON
        assert date(b"") is None


def refused(kind: Kind, wait: float | None = None) -> Limited:
    return Limited("light", kind, wait)


class TestWaitingForIt:
    def test_a_second_is_waited_for(self) -> None:
        assert retry_in(refused(Kind.PER_SECOND), 0, 0.0) == SECOND
        assert retry_in(refused(Kind.PER_SECOND, 3.0), 0, 0.0) == 3.0

    def test_a_moment_that_is_over_is_none(self) -> None:
        assert retry_in(refused(Kind.PER_SECOND, 0.0), 0, 0.0) == SECOND

    def test_those_that_were_refused_together_spread(self) -> None:
        spread = [retry_in(refused(Kind.PER_SECOND), tries, 0.5) for tries in range(5)]
        assert spread == [1.25, 1.5, 2.0, 2.0, 2.0]

    def test_a_minute_only_if_zoom_names_the_moment(self) -> None:
        assert retry_in(refused(Kind.PER_MINUTE, 2.0), 0, 0.0) == 2.0
        assert retry_in(refused(Kind.PER_MINUTE), 0, 0.0) is None

    @pytest.mark.parametrize(
        "kind", [Kind.DAILY, Kind.PER_USER, Kind.CONCURRENT, Kind.UNKNOWN], ids=str
    )
    def test_nothing_else_is(self, kind: Kind) -> None:
        assert retry_in(refused(kind, 1.0), 0, 0.0) is None


@pytest.mark.parametrize(("call_timeout", "seconds"), [(0.0, 10.0), (3600.0, 10.0), (5.0, 2.5)])
def test_it_ends_before_clients_give_up(call_timeout: float, seconds: float) -> None:
    assert last_sending(call_timeout) == seconds


def test_there_are_four_categories() -> None:
    assert len({*CATEGORIES, UNKNOWN_CATEGORY}) == 5
