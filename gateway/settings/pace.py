"""`ratelimit.pace`: a plan of Zoom's by its name, or numbers of one's own."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from gateway.core.plans import PLANS, Limit, Plan, daily
from gateway.models import AfterValidator, BeforeValidator, Field
from gateway.settings import kinds
from gateway.settings.kinds import Kind

OFF: Final = "off"

DAY: Final = "day"
"""Of one's own numbers: heavy and resource-intensive calls a day."""

_MINUTE: Final = "resource-intensive"
_LANES: Final = tuple(PLANS["business"].lanes)

_KIND: Final = (
    "off, free, pro, business, or calls by category, such as {light: 30, medium: 20, heavy: 10,"
    " resource-intensive: 10, day: 30000}"
)


def _word(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _known(pace: str | dict[str, int]) -> str | dict[str, int]:
    if not isinstance(pace, str):
        if any(name not in _LANES and name != DAY for name in pace):
            raise ValueError(f"may hold {', '.join(_LANES)} and {DAY}, and nothing else")
        if not pace.keys() - {DAY}:
            raise ValueError("must name at least one category")
    return pace


Calls = Annotated[int, BeforeValidator(kinds.no_bool), Field(ge=1, le=10_000_000)]

Pace = Annotated[
    Literal["off", "free", "pro", "business"] | dict[str, Calls],
    AfterValidator(_known),
    BeforeValidator(_word),
    Kind(_KIND),
]

PaceWait = Annotated[
    float, Field(gt=0, le=12), Kind("a number of seconds greater than 0, at most 12")
]
"""Clients give up after 15, and Zoom's answer takes its time, too."""


def plan_of(pace: str | Mapping[str, int]) -> Plan | None:
    """None: calls are not paced."""
    if isinstance(pace, str):
        return PLANS.get(pace)
    lanes = {
        name: Limit(calls, 60.0 if name == _MINUTE else 1.0)
        for name, calls in pace.items()
        if name != DAY
    }
    return Plan(lanes, daily(pace[DAY]) if DAY in pace else {})
