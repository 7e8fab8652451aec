"""Zoom's paging: `page_size` with `next_page_token`, or the older `page_number`."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.sim.answers import Answer, json_answer, zoom_error
from gateway.sim.clock import SimClock
from gateway.sim.config import SimConfig

PAGE_TOKEN_LIFE = 900
"""Seconds that a next_page_token can be used."""


def page(
    key: str,
    items: Sequence[Any],
    query: Mapping[str, str],
    config: SimConfig,
    clock: SimClock,
) -> Answer:
    """Answer one page of `items` under `key`.

    `next_page_token` present, even empty, asks for paging by token: `page_number` and
    `page_count` are then left out of the answer.
    """
    size = _number(query.get("page_size"), config.page_size)
    if size is None or not 1 <= size <= config.max_page_size:
        return _invalid("page_size", f"Page size must be from 1 to {config.max_page_size}.")
    data: dict[str, Any] = {"page_size": size, "total_records": len(items)}
    if query.get("next_page_token"):
        start = _read(query["next_page_token"], key, clock)
        if start is None:
            return _invalid("next_page_token", "The next page token is invalid or expired.")
    elif "next_page_token" in query:
        start = 0
    else:
        number = _number(query.get("page_number"), 1)
        if number is None or number < 1:
            return _invalid("page_number", "Page number must be at least 1.")
        start = (number - 1) * size
        data |= {"page_number": number, "page_count": -(-len(items) // size)}
    end = start + size
    data["next_page_token"] = _write(key, end, clock) if end < len(items) else ""
    data[key] = list(items[start:end])
    return json_answer(200, data)


def _invalid(field: str, message: str) -> Answer:
    return zoom_error(400, 300, "Validation Failed.", (field, message))


def _number(text: str | None, default: int) -> int | None:
    if text is None or not text:
        return default
    return int(text) if text.isascii() and text.isdigit() else None


def _write(key: str, start: int, clock: SimClock) -> str:
    return base64.urlsafe_b64encode(f"{key}|{start}|{clock.now():.3f}".encode()).decode()


def _read(token: str, key: str, clock: SimClock) -> int | None:
    """Return where the page starts; None for a foreign, broken or old token."""
    try:
        kind, start, issued = base64.urlsafe_b64decode(token).decode().split("|")
        age = clock.now() - float(issued)
        return int(start) if kind == key and age < PAGE_TOKEN_LIFE else None
    except (binascii.Error, ValueError):
        return None
