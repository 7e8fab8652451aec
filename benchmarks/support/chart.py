"""The charts: the same to the byte for the same numbers."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

from benchmarks.support.results import GATEWAY, Results

OWN: Final = "#1f6feb"
OTHERS: Final = "#8b949e"
_WIDE: Final = 200
_TALL: Final = 50
"""Where a scale becomes logarithmic: the end of an axis, and the largest value over the least."""
_PANELS: Final = (
    ("CPU a call, µs (log scale)", "cpu", 1.0, True),
    ("calls a second (log scale)", "per second", 1.0, True),
    ("p50 and, in outline, p99, ms (log scale)", "p50", 1e-3, True),
    ("resident MiB, idle", "idle rss", 1.0, False),
)
"""Words, the samples, what they are multiplied with, and whether the scale is logarithmic."""


def overhead(found: Results, names: Iterable[str], target: Path) -> None:
    """All proxies that were measured, beside each other: median bars, with least and most."""
    order = [name for name in (GATEWAY, *names) if found.of(name, "cpu") is not None]
    order.sort(key=lambda name: found.of(name, "cpu") or 0.0, reverse=True)
    with _styled():
        figure, axes = plt.subplots(2, 2, figsize=(10, 6.4), layout="constrained")
        for axis, panel in zip(axes.flat, _PANELS, strict=True):
            _bars(axis, found, order, panel)
        _save(figure, target)


def _bars(axis: Any, found: Results, order: Sequence[str], panel: tuple[Any, ...]) -> None:
    words, what, scale, logarithmic = panel
    values = [(found.of(name, what) or 0.0) * scale for name in order]
    ranges = [[number * scale for number in found.proxies[name][what]] for name in order]
    errors = [
        [value - min(one) for value, one in zip(values, ranges, strict=True)],
        [max(one) - value for value, one in zip(values, ranges, strict=True)],
    ]
    colours = [OWN if name == GATEWAY else OTHERS for name in order]
    axis.barh(order, values, xerr=errors, color=colours, error_kw={"elinewidth": 0.8})
    farthest = [max(one) for one in ranges]
    if what == "p50":
        tails = [(found.of(name, "p99") or 0.0) * scale for name in order]
        axis.barh(order, tails, fill=False, edgecolor=colours, linewidth=0.8)
        farthest = [max(pair) for pair in zip(farthest, tails, strict=True)]
    if logarithmic:
        axis.set_xscale("log")
    for place, (value, far) in enumerate(zip(values, farthest, strict=True)):
        text = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
        axis.annotate(
            text, (far, place), (4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axis.margins(x=0.15)
    axis.set_title(words, loc="left", fontsize=10)
    axis.grid(axis="x", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def curves(panels: Mapping[str, Sequence[tuple[float, float]]], target: Path) -> None:
    """A panel for each of what grows."""
    with _styled():
        rows = -(-len(panels) // 3)
        figure, axes = plt.subplots(rows, 3, figsize=(10, 2.6 * rows), layout="constrained")
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        for axis, (words, points) in zip(axes.flat, panels.items(), strict=False):
            _curve(axis, words, points)
        _save(figure, target)


def _curve(axis: Any, words: str, points: Sequence[tuple[float, float]]) -> None:
    places = [place for place, _ in points]
    values = [value for _, value in points]
    axis.plot(places, values, color=OWN, marker="o", markersize=3)
    if places[-1] > _WIDE:
        axis.set_xscale("symlog", linthresh=1)
        powers = [10.0**power for power in range(6) if 10.0**power <= places[-1]]
        axis.set_xticks([0.0, *powers[:: len(powers) // 3]] if places[0] < 1 else powers)
    if max(values) > _TALL * min(values):
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0, top=1.15 * max(values))
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter("{x:,.0f}")
    axis.set_title(words, loc="left", fontsize=9)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def _styled() -> Any:
    return mpl.rc_context({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9})


def _save(figure: Any, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
