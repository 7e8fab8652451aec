"""What the dashboard's panels are made of: kinds of panels, and parts of expressions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FLEET: Final = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job"'
ACCOUNT: Final = f'{FLEET}, account=~"$account"'

OURS: Final = f"and on (cluster, namespace, job, instance) zoom_gateway_build_info{{{FLEET}}}"
"""Others expose metrics of processes, too."""

RATE: Final = "[$__rate_interval]"
SLOT: Final = "cluster, namespace, job, account, app, index"
GREEN, BLUE, ORANGE, RED, GREY = "green", "blue", "orange", "red", "#808080"

Query = tuple[str, str]
"""An expression and the legend of its series."""

Words = Mapping[int, tuple[str, str]]
"""What a value stands for, and its colour."""


@dataclass(frozen=True)
class Panel:
    """`steps`: from which value on which colour; `width` and `height` in cells of the grid."""

    title: str
    kind: str
    unit: str
    description: str
    queries: tuple[Query, ...]
    width: int = 8
    height: int = 8
    steps: tuple[tuple[float | None, str], ...] = ((None, GREEN),)
    words: Words = field(default_factory=dict)
    stacked: bool = False


def stat(title: str, unit: str, text: str, expr: str, *steps: tuple[float | None, str]) -> Panel:
    return Panel(title, "stat", unit, text, ((expr, ""),), 4, 4, steps)


def lines(title: str, unit: str, text: str, *queries: Query) -> Panel:
    return Panel(title, "timeseries", unit, text, queries)


def stack(title: str, unit: str, text: str, *queries: Query) -> Panel:
    return Panel(title, "timeseries", unit, text, queries, stacked=True)


def states(title: str, text: str, query: Query, words: Words, width: int = 8) -> Panel:
    return Panel(title, "state-timeline", "none", text, (query,), width, words=words)


def select(metric: str, more: str = "", of: str = ACCOUNT) -> str:
    return f"zoom_gateway_{metric}{{{of}{more}}}"


def most(by: str, metric: str) -> str:
    return f"max by ({by}) ({select(metric)})"


def rate(by: str, metric: str, more: str = "") -> str:
    return f"sum by ({by}) (rate({select(metric, more)}{RATE}))"


def increase(by: str, metric: str, window: str) -> str:
    return f"sum by ({by}) (increase({select(metric)}[{window}]))"


def left(by: str, metric: str) -> str:
    """Seconds until a moment; nothing where the moment is 0."""
    return f"max by ({by}) ({select(metric)} > 0) - time()"


def count(condition: str) -> str:
    return f"count({condition}) or vector(0)"


def quantiles(metric: str) -> list[Query]:
    inner = rate("le", f"{metric}_duration_seconds_bucket")
    return [(f"histogram_quantile({share / 100}, {inner})", f"p{share}") for share in (50, 95, 99)]


NONE_IS_GOOD: Final = ((None, GREEN), (1, RED))
YES_NO: Final = {0: ("no", RED), 1: ("yes", GREEN)}
BY_SLOT: Final = "{{account}} {{app}}/{{index}}"
BY_REPLICA: Final = "{{account}} {{instance}}"
BY_FLEET: Final = "cluster, namespace, job, account"
BY_REPLICA_ALONE: Final = "{{instance}}"
