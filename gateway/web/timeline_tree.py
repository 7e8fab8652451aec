"""An account's recent past on the status page: figures, a timeline, events."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.core.status import span
from gateway.web.tree import Node, el, moment, number

SHOWN: Final = 15
"""Events on the page; `/status.json` has all that are kept."""

_HEIGHT: Final = 24
"""Of a lane, in the drawing's own units."""

_LANES: Final = (
    ("calls", "calls", True),
    ("recovered", "replayed", False),
    ("refusals", "refusals", True),
    ("passed_on", "passed on", False),
    ("mints", "mints", True),
    ("mint_failures", "failed mints", False),
)
"""What is counted, its label, and whether the lane is shown when it is empty."""


def figures(one: Mapping[str, Any]) -> list[Node]:
    """Calls per second and how long they take."""
    pace = one.get("pace")
    if pace is None:
        return []
    rate = pace["per_second"]
    pairs = (
        (f"{rate:.1f}" if rate >= 1 or not rate else f"{rate:.2f}", "calls per second"),
        (milliseconds(pace["p50"]), "half of them within (p50)"),
        (milliseconds(pace["p99"]), "99 of 100 within (p99)"),
    )
    return [
        el("h3", None, "Calls of the last minute"),
        el(
            "dl",
            "figures",
            *(
                el("div", None, el("dt", None, words), el("dd", None, text))
                for text, words in pairs
            ),
        ),
    ]


def milliseconds(seconds: float | None) -> str:
    """Give a duration in two or three digits, a dash for none."""
    if seconds is None:
        return "–"  # noqa: RUF001  a dash for people
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.0f} ms"


def timeline(one: Mapping[str, Any]) -> Node | None:
    """A lane for each kind that is counted, a column for each minute."""
    past = one.get("timeline")
    if past is None:
        return None
    hours = span(past["step"] * past["columns"])
    lanes = [
        _lane(past, at, label, hours)
        for name, label, always in _LANES
        for at in (past["kinds"].index(name) + 1,)
        if always or any(row[at] for row in past["rows"])
    ]
    return el(
        "div",
        "past",
        el("h3", None, f"The last {hours}"),
        el("ul", "lanes", *lanes),
        el(
            "p",
            {"class": "axis", "aria-hidden": "true"},
            el("span", None, f"{hours} ago"),
            el("span", None, f"{span(past['step'] * past['columns'] / 2)} ago"),
            el("span", None, "now"),
        ),
    )


def _lane(past: Mapping[str, Any], at: int, label: str, hours: str) -> Node:
    columns = past["columns"]
    most = max((row[at] for row in past["rows"]), default=0)
    total = sum(row[at] for row in past["rows"])
    parts = []
    for row in past["rows"]:
        if row[at]:
            # What happened once must be seen beside what happened a thousand times.
            height = max(3, round(_HEIGHT * row[at] / most))
            parts.append(f"M{columns - 1 - row[0]} {_HEIGHT}v-{height}h1v{height}z")
    words = f"{label} in the last {hours}: {number(total)}, at most {number(most)} a minute"
    return el(
        "li",
        label.replace(" ", "-"),
        el("span", "label", label),
        el(
            "svg",
            {"viewBox": f"0 0 {columns} {_HEIGHT}", "preserveAspectRatio": "none", "role": "img"}
            | {"aria-label": words},
            el("path", {"d": "".join(parts)}) if parts else None,
        ),
        el("span", "sum", number(total)),
    )


def events(one: Mapping[str, Any], title: str) -> Node | None:
    """The latest, in words."""
    found = one.get("events")
    if found is None:
        return None
    return el(
        "div",
        "recent",
        el("h3", {"id": title}, "Recent events"),
        el("ol", {"class": "events", "aria-labelledby": title}, *map(_event, found[:SHOWN]))
        if found
        else el("p", "note", "None since the start."),
    )


def _event(one: Mapping[str, Any]) -> Node:
    since, several = one["since"][11:19], one["count"] > 1
    # The words of refusals hold their number already.
    times = "Since" if one["event"] == "token_refusals" else f"{number(one['count'])} times since"
    serious = one["level"] in {"warning", "error"}
    return el(
        "li",
        one["level"],
        moment(one["at"], short=True),
        el(
            "span",
            None,
            el("span", "pill", one["level"]) if serious else None,
            " " if serious else None,
            one["message"],
            f" {times} {since}." if several else None,
        ),
    )
