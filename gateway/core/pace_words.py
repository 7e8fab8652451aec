"""Pacing in words, for the status page and the terminal alike."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.core.posture import Mark
from gateway.core.rate_words import Fact

_FULL: Final = 0.9
"""The share of a limit above which calls begin to wait."""


def pace_facts(pacing: Mapping[str, Any]) -> Iterator[Fact]:
    """Of `pacing`, an account's part of `/status.json`: a fact for each lane."""
    for lane, one in pacing.items():
        time = "second" if one["seconds"] == 1 else "minute"
        calls = f"{one['calls']:,} calls" if one["calls"] != 1 else "1 call"
        text = f"{one['used']:.0%} of {calls} a {time} used by the fleet"
        callers = ", ".join(_caller(each) for each in one["callers"])
        waiting = f"{one['waiting']:,} wait" if one["waiting"] else ""
        full = one["waiting"] and one["used"] >= _FULL
        yield Fact(
            f"{lane}, paced",
            f"{text}; here: {callers}" if callers else text,
            waiting,
            Mark.WARNING if full else Mark.OK,
        )


def _caller(one: Mapping[str, Any]) -> str:
    more = [f"{one[what]:,} {what}" for what in ("waiting", "refused") if one[what]]
    return f"{one['name']} {one['sent']:,}" + (f" ({', '.join(more)})" if more else "")
