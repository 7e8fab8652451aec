"""The events: values that can be shown to anybody."""

import re
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, get_args, get_type_hints

import pytest

from gateway.core import events
from gateway.core.errors import MintFailure
from gateway.core.events import Minted, RefusalCause, TokenEvent
from gateway.core.token import Cause, SlotId

KINDS: tuple[Any, ...] = get_args(TokenEvent)

SHOWN = {str, int, float, bool, SlotId, tuple[SlotId, SlotId], Cause, MintFailure, RefusalCause}
"""Types that can hold no token."""


@pytest.mark.parametrize("kind", KINDS)
def test_no_event_can_hold_a_token(kind: Any) -> None:
    assert set(get_type_hints(kind).values()) <= SHOWN


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_frozen(kind: Any) -> None:
    assert is_dataclass(kind)
    assert "__hash__" in vars(kind)
    assert kind.__setattr__ is not object.__setattr__


def test_the_union_names_every_event_of_the_module() -> None:
    found = {
        thing
        for thing in vars(events).values()
        if isinstance(thing, type)
        and thing.__module__ == events.__name__
        and not issubclass(thing, Enum)
    }
    assert found == set(KINDS)


def test_equal_news_are_equal() -> None:
    slot = SlotId("a", 0)
    one = Minted(slot, Cause.START, 1, 3600.0, previous_secret=False, took=0.5)
    assert one == Minted(slot, Cause.START, 1, 3600.0, previous_secret=False, took=0.5)
    assert [field.name for field in fields(one)][-1] == "took"


@pytest.mark.parametrize("cause", RefusalCause)
def test_a_refusals_cause_is_a_label_for_metrics(cause: RefusalCause) -> None:
    assert re.fullmatch(r"[a-z]+", cause.value)
