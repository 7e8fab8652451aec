"""Zoom's limits and errors in words, for the status page and the terminal alike."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from gateway.core.posture import Mark
from gateway.core.ratelimit import CATEGORIES, UNKNOWN_CATEGORY, Kind
from gateway.core.status import span

Part = Mapping[str, Any]

_OF: Final = {"per_second": "of the second", "per_minute": "of the minute", "daily": "of the day"}
_FOR: Final = {
    Kind.PER_SECOND.value: "for the second",
    Kind.PER_MINUTE.value: "for the minute",
    Kind.DAILY.value: "for the day",
    Kind.PER_USER.value: "for a user's day",
    Kind.CONCURRENT.value: "for calls at once",
}
_LOW: Final = 0.1
"""A day's limit is a warning when no more than this share is left of it."""

_ERRORS: Final = "errors"


class Fact(NamedTuple):
    """A category, or the errors: what is said of it; `trouble` stands out."""

    name: str
    text: str
    trouble: str = ""
    mark: Mark = Mark.OK
    who: str = ""
    """Whom the trouble comes from."""


def facts(rates: Part) -> Iterator[Fact]:
    """Of `rate_limits`, an account's part of `/status.json`: what there is something to say of."""
    lately = f"in {span(rates['seconds'])}"
    for category in (*CATEGORIES, UNKNOWN_CATEGORY):
        used, limits, limited = (_of(rates[key], category) for key in ("used", "limits", "limited"))
        if used or limits or limited:
            yield _category(category, used, limits, limited, lately)
    errors = rates["errors"]
    if any(one["requests"] for one in errors):
        text = "; ".join(_errors(one) for one in errors)
        high = rates["errors_high"]
        yield Fact(_ERRORS, text, "too many" if high else "", Mark.WARNING if high else Mark.OK)


def _of(entries: Sequence[Part], category: str) -> list[Part]:
    return [one for one in entries if one["category"] == category]


def _category(
    category: str, used: list[Part], limits: list[Part], limited: list[Part], lately: str
) -> Fact:
    said = [f"{one['count']:,} calls {lately} ({_who(one)})" for one in used]
    said += [words for one in limits if (words := _left(one))]
    refused = [
        f"{one['count']:,} × 429 {_FOR.get(one['type'], 'for an unknown limit')}"  # noqa: RUF001
        for one in limited
    ]
    low = [f"little is left {_OF[one['type']]}" for one in limits if _is_low(one)]
    over = any(one["type"] == Kind.DAILY.value for one in limited)
    mark = Mark.ERROR if over else Mark.WARNING if refused or low else Mark.OK
    who = "; ".join(_who(one) for one in limited)
    return Fact(category, "; ".join(said) or "no calls", ", ".join((*refused, *low)), mark, who)


def _who(one: Part) -> str:
    return ", ".join(f"{each['caller']} {each['count']:,}" for each in one["callers"])


def _left(one: Part) -> str:
    of = _OF.get(one["type"], "of a limit")
    if one["remaining"] is None:
        return ""
    most = "" if one["limit"] is None else f" of {one['limit']:,}"
    return f"{one['remaining']:,}{most} left {of} at {one['at'][11:19]}"


def _is_low(one: Part) -> bool:
    if one["type"] != Kind.DAILY.value or not one["limit"] or one["remaining"] is None:
        return False
    low: bool = one["remaining"] <= _LOW * one["limit"]
    return low


def _errors(one: Part) -> str:
    share = f"{one['errors']:,} of {one['requests']:,} requests ({100 * one['ratio']:.1f} %)"
    return f"{share} in {one['minutes']} min"
