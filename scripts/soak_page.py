"""Put what the soak saw into its page: the numbers as a table, and the graph.

    python scripts/soak_page.py build/soak docs

Reads `samples.csv` and `summary.json` of the first folder, and writes `images/soak.svg` and the
table in `soak.md` of the second anew.
"""

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable
from math import nan
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

POINTS: Final = 180
"""How many points a line has at most."""

BEGIN: Final = "<!-- begin: what the soak saw -->"
END: Final = "<!-- end: what the soak saw -->"

Many = Callable[[Iterable[float]], float]


def usual(many: Iterable[float]) -> float:
    """The median of moments in which there was anything; nothing, if there was not."""
    some = [one for one in many if one]
    return median(some) if some else nan


PANELS: Final[tuple[tuple[str, tuple[tuple[str, str, Many], ...]], ...]] = (
    ("calls a second", (("calls_per_second", "answered", fmean),)),
    ("ms", (("p50", "p50", usual), ("p99", "p99", usual))),
    ("MiB", (("rss", "resident memory", fmean),)),
    (
        "descriptors",
        (
            ("descriptors", "all", fmean),
            ("files", "those that are no sockets", fmean),
            ("threads", "threads", fmean),
        ),
    ),
)
"""The panels from top to bottom: unit, and (column, words, what many samples come to)."""


def main(source: Path, docs: Path) -> None:
    """Write both. Raises OSError, and ValueError for a page without a place for the table."""
    with (source / "samples.csv").open(newline="") as file:
        samples = [
            {name: float(text) for name, text in row.items()} for row in csv.DictReader(file)
        ]
    summary = json.loads((source / "summary.json").read_text())
    draw(samples, docs / "images" / "soak.svg")
    page = docs / "soak.md"
    page.write_text(replaced(page.read_text(), table(summary)))


def draw(samples: list[dict[str, float]], target: Path) -> None:
    """The graph, the same to the byte for the same samples."""
    mpl.rcParams.update({"svg.hashsalt": "soak", "svg.fonttype": "none", "font.size": 9})
    figure, axes = plt.subplots(len(PANELS), sharex=True, figsize=(9, 8), layout="constrained")
    for axis, (unit, lines) in zip(axes, PANELS, strict=True):
        for column, words, many in lines:
            places, values = thinned(samples, column, many)
            axis.plot([at / 60 for at in places], values, label=words, linewidth=1)
        axis.set_ylabel(unit)
        axis.grid(alpha=0.3)
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=8, frameon=False)
        axis.set_ylim(bottom=0)
    for axis, bottom in ((axes[1], 0.1), (axes[3], 1)):
        axis.set_yscale("log")
        axis.set_ylim(bottom=bottom)
    axes[-1].set_xlabel("minutes")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)


def thinned(
    samples: list[dict[str, float]], column: str, many: Many
) -> tuple[list[float], list[float]]:
    """Places and values of a line."""
    size = -(-len(samples) // POINTS)
    groups = [samples[start : start + size] for start in range(0, len(samples), size)]
    return (
        [group[-1]["at"] for group in groups],
        [many([sample[column] for sample in group]) for group in groups],
    )


def table(summary: dict[str, Any]) -> str:
    """The summary in Markdown."""
    rows = [
        (name, _words(value))
        for name, value in summary.items()
        if not isinstance(value, dict) or name in {"faults", "kinds"}
    ]
    names = {"kinds": "calls by kind", "faults": "faults around them"}
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {names.get(name, name)} | {words} |" for name, words in rows)]
    )


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(count)}" for name, count in value.items())
    if isinstance(value, list):
        return " and ".join(_words(one) for one in value)
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def replaced(page: str, text: str) -> str:
    """The page with another table between its marks."""
    found = re.subn(
        f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page, flags=re.DOTALL
    )
    if found[1] != 1:
        raise ValueError(f"the page needs one {BEGIN} ... {END}")
    return found[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
