"""Readers that turn JSON values into typed ones and say what is wrong with them.

A reader takes a JSON value and returns the typed value, or raises ValueError with a phrase
that completes "key: …".
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.sim.rules import PathRule, parse_rule

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")
Reader = Callable[[Any], Any]

LOWEST_STATUS, HIGHEST_STATUS = 200, 599
LONGEST = 1e9
"""Seconds; keeps `inf` and `nan` out."""


class ReadError(ValueError):
    """What a caller sent cannot be used; the text names every key concerned."""


def anything(value: Any) -> Any:
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004  one error type for all readers
    return value


def count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("must be a whole number of at least 0")
    return value


def integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")  # noqa: TRY004  as above
    return value


def seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LONGEST:
        raise ValueError("must be a number of seconds of at least 0")
    return float(value)


def positive(value: Any) -> float:
    number = seconds(value)
    if number == 0:
        raise ValueError("must be more than 0")
    return number


def share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1")
    return float(value)


def status(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be an HTTP status")  # noqa: TRY004  as above
    if not LOWEST_STATUS <= value <= HIGHEST_STATUS:
        raise ValueError(f"must be an HTTP status from {LOWEST_STATUS} to {HIGHEST_STATUS}")
    return value


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004  as above
    return value


def line(value: Any) -> str:
    """A string that can stand in a header."""
    if "\r" in text(value) or "\n" in value or "\0" in value:
        raise ValueError("must be a string without line breaks")
    return text(value)


def choice(*options: str) -> Reader:
    def read(value: Any) -> str:
        if value not in options:
            raise ValueError(f"must be one of {', '.join(options)}")
        return text(value)

    return read


def headers(value: Any) -> tuple[tuple[str, str], ...]:
    """`{"Retry-After": "2"}`; numbers are taken as their text."""
    if not isinstance(value, dict):
        raise ValueError("must be an object of header names and values")  # noqa: TRY004  as above
    return tuple((line(name), line(str(content))) for name, content in value.items())


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")  # noqa: TRY004  as above
    return value


def many(reader: Reader) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError("must be a list")  # noqa: TRY004  as above
        return tuple(reader(item) for item in value)

    return read


def rule(value: Any) -> PathRule:
    """`"GET /v2/users"` or `{"method": "GET", "path": "/v2/users"}`."""
    if isinstance(value, str):
        return parse_rule(value)
    known = mapping(value)
    if unknown := known.keys() - {"method", "path"}:
        raise ValueError(f"unknown key {min(unknown)}")
    return parse_rule(f"{text(known.get('method', '*'))} {text(known.get('path', ''))}")


def scopes(value: Any) -> dict[str, tuple[str, ...]]:
    """`{"GET /v2/users": ["user:read:list_users:admin"]}`."""
    read_list = many(text)
    for operation in mapping(value):
        parse_rule(operation)
    return {operation: read_list(missing) for operation, missing in value.items()}


def record(kind: type[Record], *required: str) -> Reader:
    """Read an object into a dataclass whose fields carry their readers."""

    def read(value: Any) -> Record:
        for key in required:
            if not isinstance(value, dict) or value.get(key) is None:
                raise ValueError(f"must be an object with {key!r}")
        return fill(kind(), value)

    return read


def fill(base: Record, data: Any) -> Record:
    """Return `base` with the keys of `data` read in; null puts a default back.

    The readers stand in the field's metadata under `read`. Raises ReadError.
    """
    known = {item.name: item.metadata["read"] for item in fields(base)}
    values = read_keys(known, data)
    fresh = type(base)()
    return replace(base, **{k: getattr(fresh, k) if v is None else v for k, v in values.items()})


def read_keys(readers: Mapping[str, Reader], data: Any) -> dict[str, Any]:
    """Read each key of an object with its reader; null stays None. Raises ReadError."""
    if not isinstance(data, dict):
        raise ReadError("the body must be a JSON object")
    values, problems = {}, []
    for key, value in data.items():
        if key not in readers:
            problems.append(f"unknown key {key!r} (known: {', '.join(sorted(readers))})")
            continue
        try:
            values[key] = None if value is None else readers[key](value)
        except ValueError as error:
            problems.append(f"{key}: {error}")
    if problems:
        raise ReadError("; ".join(problems))
    return values
