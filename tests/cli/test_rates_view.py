"""What `zoom-gateway status` says of Zoom's limits."""

from typing import Any

import pytest

from gateway.cli.status_view import View
from gateway.core.status import ReadinessGate, Replica, snapshot
from tests.observe.charts import NOW, WALL, healthy
from tests.web.test_status_tree import RATES


def body(**more: Any) -> dict[str, Any]:
    charts = {"default": healthy()}
    ready = ReadinessGate().look(charts, charts)
    made = snapshot(charts, ready, Replica("gw-1", "1", 1, NOW), NOW, WALL)
    return {**made, "accounts": [{**one, **more} for one in made["accounts"]]}


def test_a_line_for_each_category(capsys: pytest.CaptureFixture[str]) -> None:
    View().show(body(rate_limits=RATES))
    said = capsys.readouterr().out
    assert "heavy: no calls; 3 × 429 for the day (by reports 3)\n" in said  # noqa: RUF001
    assert "errors: 3 of 200 requests (1.5 %) in 60 min\n" in said


def test_of_an_older_gateway_none(capsys: pytest.CaptureFixture[str]) -> None:
    View().show(body())
    assert "429" not in capsys.readouterr().out
