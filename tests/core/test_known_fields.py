"""The fields of a stored document: those that are written, and a look for others."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from gateway.core.document import encode
from gateway.core.known_fields import DEEPEST, FIELDS, nests_deeper, unknown_field
from tests.core.strategies import json_values
from tests.core.test_document import IDENTITIES, rich


def fields_of(value: Any, path: str = "") -> dict[str, set[str]]:
    """By path: the fields that `value` has there."""
    found: dict[str, set[str]] = {}
    if isinstance(value, dict):
        found[path] = set(value)
        inner = [(f"{path}.{name}".lstrip("."), one) for name, one in value.items()]
    else:
        inner = [(path, one) for one in value] if isinstance(value, list) else []
    for below, one in inner:
        for where, fields in fields_of(one, below).items():
            found.setdefault(where, set()).update(fields)
    return found


def test_what_is_written_is_what_is_known() -> None:
    written = fields_of(encode(rich(), IDENTITIES, 0.0))
    free = {"trials", "suspects", "asked", "ext", "ext.pace"}
    assert {path: written[path] for path in written.keys() - free} == dict(FIELDS)
    assert unknown_field(encode(rich(), IDENTITIES, 0.0)) is None


@pytest.mark.parametrize("path", FIELDS)
def test_another_field_is_named_with_its_path(path: str) -> None:
    value: Any = {"shade": 1}
    for name in reversed(path.split(".") if path else []):
        value = {name: [7, value, None]}
    assert unknown_field(value) == f"{path}.shade".lstrip(".")


@pytest.mark.parametrize(
    "document",
    [
        {"trials": {"GET /x": 1}, "suspects": {"x": 2.0}, "asked": {"x": 2.0}},
        {"ext": {"pace": {"any": "thing"}}},
        {"slots": {"app": [{"any": "thing"}]}},
        {"slots": [[{"any": "thing"}]]},
        {},
    ],
    ids=str,
)
def test_what_is_not_ours_to_name_is_not_examined(document: Any) -> None:
    assert unknown_field(document) is None


@pytest.mark.parametrize("name", ["", "eyJhbGciOi.J9", "Shade", "x" * 41, "\n"])
def test_a_name_that_may_be_a_value_is_not_shown(name: str) -> None:
    assert unknown_field({name: 1}) == "?"
    assert unknown_field({"slots": [{"token": {name: 1}}]}) == "slots.token.?"


@given(json_values)
def test_anything_is_looked_at_without_an_error(value: Any) -> None:
    found = unknown_field(value)
    assert found is None or re.fullmatch(r"[a-z0-9_.]*\??", found)


@pytest.mark.parametrize("wrap", [lambda inner: {"a": inner, "b": 1}, lambda inner: [1, inner]])
def test_levels_are_counted_through_mappings_and_lists(wrap: Callable[[Any], Any]) -> None:
    value: Any = "no level of its own"
    for _ in range(DEEPEST):
        value = wrap(value)
    assert not nests_deeper(value)
    assert nests_deeper(wrap(value))
    assert nests_deeper(value, DEEPEST - 1)


def test_what_does_not_nest_has_no_level() -> None:
    assert not nests_deeper("x" * 100, 0)
    assert nests_deeper({}, 0)
