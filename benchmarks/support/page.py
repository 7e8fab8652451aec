"""The tables, and their places in the page."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from benchmarks.support.results import DIRECT, GATEWAY, GOALS, Goal, Results, spread

ABSENT: Final = "-"
_HEAD: Final = (
    "",
    "CPU a call, µs (least to most)",
    "calls a second",
    "p50, ms",
    "p99, ms",
    "added p50, µs",
    "added p99, µs",
    "MiB idle, RSS (PSS)",
    "MiB after",
)


def replaced(page: str, name: str, text: str) -> str:
    """The page with another text between its markers. Raises ValueError if it has none."""
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"no place for the table: {begin} ... {end}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def write(path: Path, name: str, text: str) -> None:
    path.write_text(replaced(path.read_text(), name, text))


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def overhead(found: Results, names: Iterable[str]) -> str:
    """Where it was run, the proxies named, and the goals."""
    return "\n\n".join(
        [
            f"{found.date}, {found.machine}; {found.rounds} rounds, medians. `{found.command}`",
            table(_HEAD, (_row(found, name) for name in (GATEWAY, *names))),
            _direct(found),
            *_distinct(found),
            table(("figure", "goal", "measured", ""), (_goal(goal, found) for goal in GOALS)),
            *(f"Not measured: {problem}." for problem in found.problems),
        ]
    )


def _direct(found: Results) -> str:
    p50, p99 = (number(found.of(DIRECT, f"one {which}")) for which in ("p50", "p99"))
    return f"A call of one connection without a proxy: p50 {p50} µs, p99 {p99} µs."


def _distinct(found: Results) -> list[str]:
    cost = found.other("distinct cpu")
    if cost is None:
        return []
    text = (
        "The table's calls are all the same. Where each has an `X-Request-Id` of its own and one of"
        f" 10,000 paths, a call costs the gateway {number(cost)} µs."
    )
    return [text]


def _row(found: Results, name: str) -> list[str]:
    version = found.versions.get(name, "")
    samples = found.proxies.get(name, {})
    cpu = number(found.of(name, "cpu"))
    between = spread(samples, "cpu")
    if between:
        cpu += f" ({number(between[0])} to {number(between[1])})"
    added = [number(found.added(name, f"one {which}")) for which in ("p50", "p99")]
    return [
        f"{f'**{name}**' if name == GATEWAY else name} {version}".strip(),
        cpu,
        number(found.of(name, "per second")),
        *(number(found.of(name, which), 1e-3, 2) for which in ("p50", "p99")),
        *added,
        _memory(samples, found, name),
        number(found.of(name, "after rss")),
    ]


def _memory(samples: Mapping[str, list[float]], found: Results, name: str) -> str:
    if "idle rss" not in samples:
        return ABSENT
    return f"{number(found.of(name, 'idle rss'))} ({number(found.of(name, 'idle pss'))})"


def _goal(goal: Goal, found: Results) -> list[str]:
    value = goal.figure(found)
    sign = "≥" if goal.at_least else "≤"
    bound = f"{sign} {goal.goal:g}{goal.unit}"
    if value is None:
        return [goal.words, bound, ABSENT, "not measured"]
    met = goal.met(value)
    return [goal.words, bound, f"{value:.2f}{goal.unit}", "met" if met else "**missed**"]


def number(value: float | None, scale: float = 1.0, digits: int = 0) -> str:
    """With thousands apart; `-` for what was not measured."""
    return ABSENT if value is None else f"{value * scale:,.{digits}f}"
