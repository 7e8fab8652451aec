"""Zoom's limits and errors on an account's card."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.core.pace_words import pace_facts
from gateway.core.rate_words import Fact, facts
from gateway.web.tree import Node, el


def rates(one: Mapping[str, Any]) -> Iterator[Node]:
    """A line for each category; nothing if nothing is known."""
    part = one.get("rate_limits")
    found = [] if part is None else list(facts(part))
    found += pace_facts(one.get("pacing", {}))
    if found:
        yield el("h3", None, "Zoom's limits")
        yield el("dl", "facts", *map(_fact, found))


def _fact(fact: Fact) -> Node:
    pill = el("span", f"pill {fact.mark.value}", fact.trouble) if fact.trouble else None
    return el(
        "div",
        None,
        el("dt", None, fact.name),
        el(
            "dd",
            None,
            fact.text,
            " " if pill else None,
            pill,
            el("small", None, f" {fact.who}") if fact.who else None,
        ),
    )
