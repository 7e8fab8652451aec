"""PromQL expressions, held against the metrics that a gateway really exposes."""

import re
from collections.abc import Iterator
from typing import Any

import promql_parser as promql

from gateway.core.errors import MintFailure
from gateway.core.events import RefusalCause
from gateway.core.rate_use import RateUse
from gateway.core.ratelimit import CATEGORIES, UNKNOWN_CATEGORY, Kind, Told
from gateway.core.slots import Phase
from gateway.core.token import Cause
from gateway.observe.limit_metrics import NAMES
from gateway.observe.metrics import DENIED, FAILURE, PREVIOUS_SECRET, SUCCESS, Metrics
from gateway.observe.pace_metrics import REASONS
from gateway.reports import ReplayOutcome, RetryOutcome
from tests.observe.charts import A0, WALL, fleet, healthy
from tests.observe.lines import EVERY, calls

TARGET = {"cluster", "namespace", "job", "instance"}
"""Labels that are Prometheus' own."""

VALUES = {
    "outcome": {one.value for one in (*ReplayOutcome, *RetryOutcome)},
    "reason": {one.value for one in Cause} | set(DENIED) | set(REASONS),
    "result": {one.value for one in MintFailure} | {SUCCESS, PREVIOUS_SECRET, FAILURE},
    "cause": {one.value for one in RefusalCause},
    "phase": {one.name.lower() for one in Phase},
    "status": {"200", "401", "404", "429", "499", "500", "502", "503", "504"},
    "limit": set(NAMES),
    "place": {"memory", "disk"},
    "category": {*CATEGORIES, UNKNOWN_CATEGORY},
    "type": {one.value for one in Kind},
    "alertstate": {"firing", "pending"},
}
"""What labels may hold, where that is a fixed set."""


def registry() -> Metrics:
    """The metrics of a gateway to which everything has happened."""
    metrics = Metrics({"default": (A0,)}, lambda: {"default": healthy()}, lambda: WALL, "1")
    metrics.show_fleet(fleet)
    metrics.show_certificate(lambda: WALL)
    for call in calls():
        metrics.call_ended(call)
    for event, *_ in EVERY:
        metrics.token_event("default", event)
    use = RateUse(0.0)
    use.sent(0.0, "reports", "light")
    use.sent(0.0, "reports", "light")
    use.failed(1, 0)
    metrics.rates.uses = lambda: [("default", use)]
    metrics.rates.told = lambda: [("default", Told("light", Kind.DAILY, 6000, 5893), WALL)]
    metrics.pace.waited("default", "light", 0.2)
    metrics.pace.refused("default", "light", "late")
    metrics.pace.used("default", "light", 0.97)
    metrics.refresh()
    return metrics


def exposed() -> dict[str, set[str]]:
    """Every series' name, `_bucket`, `_sum` and `_count` among them, with its labels."""
    found: dict[str, set[str]] = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}}
    # An alert has the labels of what it watches.
    found["ALERTS"] |= {"account", "app", "index", "outcome"}
    for family in registry().registry.collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def parse(text: str) -> promql.Expr:
    """Grafana's variables stand where durations do; within quotes they are text."""
    return promql.parse(text.replace("$__rate_interval", "5m"))


def children(node: Any) -> Iterator[Any]:
    for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
        if (child := getattr(node, name, None)) is not None:
            yield child
    yield from getattr(node, "args", ())


def every(node: Any) -> Iterator[Any]:
    yield node
    for child in children(node):
        yield from every(child)


def metrics_of(node: Any) -> set[str]:
    selectors = (one for one in every(node) if isinstance(one, promql.VectorSelector))
    return {one.name for one in selectors if one.name}


def problems(text: str, known: dict[str, set[str]]) -> list[str]:
    """What an expression names that does not exist: metrics, labels, values of labels."""
    found = []
    for node in every(parse(text)):
        if isinstance(node, promql.VectorSelector):
            found += _in_selector(node, known)
            continue
        modifier = getattr(node, "modifier", None)
        labels = set(getattr(getattr(modifier, "matching", modifier), "labels", None) or ())
        for side in children(node) if labels else ():
            names = metrics_of(side)
            there = TARGET.union(*(known.get(name, set()) for name in names))
            if names and labels - there:
                found.append(f"{sorted(names)} have no {sorted(labels - there)}")
    return found


def _in_selector(node: Any, known: dict[str, set[str]]) -> list[str]:
    if node.name not in known:
        return [f"no metric {node.name}"]
    found = []
    for matcher in node.matchers.matchers:
        if matcher.name not in known[node.name] | TARGET:
            found.append(f"{node.name} has no {matcher.name}")
        pattern = matcher.value if matcher.op in _BY_PATTERN else re.escape(matcher.value)
        values = VALUES.get(matcher.name, {""} | {matcher.value})
        if "$" not in pattern and not any(re.fullmatch(pattern, one) for one in values):
            found.append(f"{matcher.name} is never {matcher.value}")
    return found


_BY_PATTERN = (promql.MatchOp.Re, promql.MatchOp.NotRe)
