"""Zoom's rate limits: what an answer's header tells of them, and which one a 429 is about.

Sources: Zoom's page "Rate limits" (February 2026) and 429s that users published. The header is
best effort: many answers carry the category alone, and a user's own daily limit comes with what
is left of the account's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.core.lengths import number

LIMITED: Final = 429

CATEGORIES: Final = ("light", "medium", "heavy", "resource-intensive")

UNKNOWN_CATEGORY: Final = "unknown"
"""In metrics and logs: neither the header nor the table of operations says it."""

REMAINING: Final = b"x-ratelimit-remaining"
"""An answer with this field tells how much of a limit is left. Names in lower case."""

_BY_MINUTE: Final = "resource-intensive"
"""Zoom counts this category by the minute, and refuses with the words of the second's limit."""


class Kind(StrEnum):
    """Which limit it is; the value is the metrics' `type` label."""

    PER_SECOND = "per_second"
    PER_MINUTE = "per_minute"
    DAILY = "daily"
    """The account's day, in UTC."""
    PER_USER = "per_user"
    """A user's day: 100 meetings or webinars that are created or changed."""
    CONCURRENT = "concurrent"
    """Another call works on the same thing at this moment."""
    UNKNOWN = "unknown"


class Told(NamedTuple):
    """What an answer's header tells; what it does not is None."""

    category: str | None
    kind: Kind
    """Of the limit that the numbers are about: by second, by minute, by day, or unknown."""
    limit: int | None
    remaining: int | None


class Limited(NamedTuple):
    """What is known of a 429."""

    category: str
    """Of the header, or else of the operation; UNKNOWN_CATEGORY if neither says it."""
    kind: Kind
    wait: float | None
    """Seconds until the moment that Zoom names; None: it names none."""


def told(values: Mapping[bytes, bytes]) -> Told:
    """Read an answer's header; `values` holds its fields by their names in lower case."""
    get = values.get
    category = category_in(get(b"x-ratelimit-category", b""))
    return Told(
        category,
        _kind_in(get(b"x-ratelimit-type", b""), category),
        number(get(b"x-ratelimit-limit", b"")),
        number(get(REMAINING, b"")),
    )


def category_in(value: bytes) -> str | None:
    """Read `X-RateLimit-Category`: `Light`, `Resource-intensive` and other spellings of them."""
    name = value.strip().lower().translate(_DASHED).decode("latin-1")
    return name if name in CATEGORIES else None


_DASHED: Final = bytes.maketrans(b" _", b"--")


def _kind_in(value: bytes, category: str | None) -> Kind:
    """Read `X-RateLimit-Type`: `QPS` or `Daily-limit`."""
    name = value.strip().lower()
    if name == b"qps":
        return Kind.PER_MINUTE if category == _BY_MINUTE else Kind.PER_SECOND
    return Kind.DAILY if name.startswith(b"daily") else Kind.UNKNOWN


def limited(
    values: Mapping[bytes, bytes], message: str, category: str | None, wall: float
) -> Limited:
    """Find out which limit a 429 is about.

    `message` is that of its body, if it has one; `category` the operation's, if the table says it;
    `wall` the moment at which it came, in seconds since the epoch.
    """
    found = told(values)
    category = found.category or category
    return Limited(
        category or UNKNOWN_CATEGORY,
        _kind_of(message.lower(), found, category),
        retry_after(values.get(b"retry-after", b""), date(values.get(b"date", b"")) or wall),
    )


def _kind_of(message: str, found: Told, category: str | None) -> Kind:
    """The message says it best: the header names the same type for a day and a user's day."""
    if "concurrent" in message:
        return Kind.CONCURRENT
    if "per-minute" in message or "per minute" in message:
        return Kind.PER_MINUTE
    if "per-second" in message or "per second" in message:
        return Kind.PER_MINUTE if category == _BY_MINUTE else Kind.PER_SECOND
    if "daily" in message or "per day" in message:
        return Kind.PER_USER if "user" in message else Kind.DAILY
    if found.kind is Kind.DAILY and found.remaining:
        # The account has calls left, so it is not the account's day that is over.
        return Kind.PER_USER
    if found.kind is Kind.PER_SECOND and category == _BY_MINUTE:
        return Kind.PER_MINUTE
    return found.kind


def retry_after(value: bytes, now: float) -> float | None:
    """Read `Retry-After`: seconds from `now` on, never negative; None if it says nothing.

    Zoom sends an ISO-8601 time (`2020-05-31T00:00:00Z`), what stands before it an HTTP date or
    whole seconds (RFC 9110 section 10.2.3). `now` is in seconds since the epoch.
    """
    seconds = number(value.strip())
    if seconds is not None:
        return float(seconds)
    moment = _iso(value) or date(value)
    return None if moment is None else max(0.0, moment - now)


def date(value: bytes) -> float | None:
    """Read an HTTP date, in any of its three forms, as seconds since the epoch."""
    try:
        return _since_epoch(parsedate_to_datetime(value.decode("latin-1")))
    except (ValueError, OverflowError):
        return None


def _iso(value: bytes) -> float | None:
    text = value.strip().decode("latin-1")
    # `fromisoformat` also takes 20200531 and the like: those are numbers, read before.
    if "T" not in text and " " not in text:
        return None
    try:
        return _since_epoch(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _since_epoch(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


RETRY_WITHIN: Final = 10.0
"""Seconds from a call's begin within which it is sent for the last time: clients give up after 15,
and an answer takes its time, too."""

SECOND: Final = 1.0
"""Seconds until Zoom counts anew, where it names no moment."""

_SPREAD: Final = 0.5
"""Seconds of jitter at the first try; twice as much at the next, and so on up to four times. All
that were refused in one second would come back in one, otherwise."""

_MOST_SPREAD: Final = 4


def last_sending(call_timeout: float) -> float:
    """Seconds from a call's begin within which it may be sent again, `call_timeout` being all that
    it may take; 0: it may take any time.
    """
    return min(RETRY_WITHIN, call_timeout / 2) if call_timeout else RETRY_WITHIN


def retry_in(found: Limited, tries: int, jitter: float) -> float | None:
    """Seconds after which the call may be sent again; None: it is not to be.

    `tries` were made already, `jitter` is in [0, 1). The limit of a second is over in one; that of
    a minute may take long, so Zoom must name the moment. A day's and a user's do not end while
    somebody waits. Where calls at once are too many, another does something to the same thing: the
    caller must know, not repeat it. What is not known is not repeated either.
    """
    if found.kind is Kind.PER_SECOND:
        base = found.wait or SECOND
    elif found.kind is Kind.PER_MINUTE and found.wait is not None:
        base = found.wait
    else:
        return None
    return base + jitter * _SPREAD * min(1 << tries, _MOST_SPREAD)
