"""Alerts, dashboard and runbook ask for what a gateway exposes, and for nothing else."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observe.promql import exposed, metrics_of, parse, problems

ROOT = Path(__file__).resolve().parents[2]
KNOWN = exposed()
QUERY = re.compile(r"label_values\((.*), (\w+)\)")


def alerts() -> Iterator[tuple[str, str]]:
    groups = yaml.safe_load((ROOT / "helm/files/alerts.yaml").read_text())["groups"]
    return ((rule["alert"], rule["expr"]) for group in groups for rule in group["rules"])


def dashboard() -> Iterator[tuple[str, str]]:
    board: dict[str, Any] = json.loads((ROOT / "helm/files/dashboard.json").read_text())
    for annotation in board["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        if found := QUERY.fullmatch(variable.get("definition", "")):
            yield variable["name"], f"count by ({found[2]}) ({found[1].replace('{}', '')})"


def runbook() -> Iterator[tuple[str, str]]:
    for page in ("runbook.md", "metrics.md"):
        blocks = re.findall(r"```promql\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
        for block in blocks:
            yield from ((page, line) for line in block.splitlines())


EVERY = [*alerts(), *dashboard(), *runbook()]


@pytest.mark.parametrize(("where", "text"), EVERY, ids=[where for where, _ in EVERY])
def test_an_expression_names_what_there_is(where: str, text: str) -> None:
    assert problems(text, KNOWN) == [], where


def test_the_dashboard_shows_every_metric_of_ours() -> None:
    shown = set[str]().union(*(metrics_of(parse(text)) for _, text in dashboard()))
    ours = {name for name in KNOWN if name.startswith("zoom_gateway_")}
    # Counts and sums of histograms come along with their buckets.
    missing = {name for name in ours - shown if not name.endswith(("_count", "_sum"))}
    assert missing <= {"zoom_gateway_token_expires_at_seconds"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("zoom_gateway_token_useable", "no metric"),
        ("max by (accounts) (zoom_gateway_token_usable)", "have no ['accounts']"),
        ("zoom_gateway_token_usable{app='x'}", "has no app"),
        ("rate(zoom_gateway_replays_total{outcome='lost'}[5m])", "outcome is never lost"),
        ("rate(zoom_gateway_requests_total{status=~'6..'}[5m])", "status is never 6.."),
        ("up == 0 and on (job, route) zoom_gateway_store_up", "have no ['route']"),
    ],
)
def test_what_there_is_not_is_told(text: str, told: str) -> None:
    """A guard: a check that finds nothing proves nothing."""
    assert any(told in problem for problem in problems(text, KNOWN))
