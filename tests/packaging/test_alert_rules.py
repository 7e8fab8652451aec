"""The alert rules, by Prometheus' own tool: they are valid, fire, stay quiet and end."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.redis_server import binary

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "helm" / "files" / "alerts.yaml"
CASES = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))
RUNBOOK = "https://github.com/zoom-gateway/zoom-gateway/blob/main/docs/runbook.md"

ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(
        [binary("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def looks() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every look at an alert, with the samples that are expected."""
    for file in CASES:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for look in test["promql_expr_test"]:
                found = re.fullmatch(
                    r'ALERTS\{alertname="(\w+)", alertstate="firing"\}', look["expr"]
                )
                assert found, look["expr"]
                assert test["name"].startswith(f"{found[1]}, ")
                yield found[1], look["exp_samples"]


def labels_of(sample: dict[str, Any]) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))


def test_they_are_valid() -> None:
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool("check", "rules", RULES)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_they_fire_when_they_should_and_only_then(file: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", file)


def test_a_case_that_expects_the_wrong_thing_fails(tmp_path: Path) -> None:
    """A guard: the tool does look at what the cases say."""
    case = yaml.safe_load(CASES[0].read_text())
    case["rule_files"] = [str(RULES)]
    for look in case["tests"][0]["promql_expr_test"]:
        look["exp_samples"] = []
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(case))
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", tmp_path / "case.yaml")


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_a_case_that_fires_and_one_that_does_not(alert: str) -> None:
    cases = [test for file in CASES for test in yaml.safe_load(file.read_text())["tests"]]
    own = [test for test in cases if test["name"].startswith(f"{alert}, ")]
    fires = [any(look["exp_samples"] for look in test["promql_expr_test"]) for test in own]
    assert True in fires, "no case in which it fires"
    assert False in fires, "no case in which it stays quiet all through"
    firing = next(test for test in own if any(x["exp_samples"] for x in test["promql_expr_test"]))
    outcomes = [bool(look["exp_samples"]) for look in firing["promql_expr_test"]]
    assert outcomes[0] is False, "no look before it fires"
    assert outcomes[-1] is False or alert == "ZoomGatewayAbsent", "no look after it ended"


@pytest.mark.parametrize(
    ("series", "look", "labels", "summary"),
    [
        (
            '{namespace="prod", job="gateway", instance="a"}',
            "30m",
            {"namespace": "prod", "job": "gateway"},
            "No gateway of prod/gateway can be scraped.",
        ),
        ('{instance="a"}', "7h", {}, "No gateway can be scraped."),
    ],
)
def test_an_absence_is_told_with_a_name_and_without(
    tmp_path: Path, series: str, look: str, labels: dict[str, str], summary: str
) -> None:
    told = {
        **ALERTS["ZoomGatewayAbsent"]["annotations"],
        "summary": summary,
        "description": (
            "Prometheus reaches no replica of prod/gateway any more"
            if labels
            else "Prometheus has scraped no gateway at all for 6 hours"
        )
        + ": all are down, or it looks for them in the wrong place. See whether calls still"
        " succeed, then look at the processes and at Prometheus' targets.",
    }
    alert = {"exp_labels": {"severity": "critical", **labels}, "exp_annotations": told}
    case = {
        "rule_files": [str(RULES)],
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f"zoom_gateway_build_info{series}", "values": "1x10 _x500"}
                ],
                "alert_rule_test": [
                    {"alertname": "ZoomGatewayAbsent", "eval_time": look, "exp_alerts": [alert]}
                ],
            }
        ],
    }
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(case))
    assert "SUCCESS" in promtool("test", "rules", tmp_path / "case.yaml")


@pytest.mark.parametrize(
    ("expires", "told"),
    [
        (7200, "ends in 1h 30m 0s; from then on no caller that verifies it gets through"),
        (600, "has ended: no caller that verifies it gets through"),
    ],
)
def test_a_certificate_that_has_ended_is_told_otherwise(
    tmp_path: Path, expires: int, told: str
) -> None:
    name = "ZoomGatewayCertificateEnds"
    labels = {"namespace": "prod", "job": "gateway"}
    description = (
        f"The certificate of prod/gateway {told}. Renew it now: files that change are read again by"
        " themselves."
    )
    annotations = {
        **ALERTS[name]["annotations"],
        "summary": "The certificate of prod/gateway ends or has ended.",
        "description": description,
    }
    metric = "zoom_gateway_tls_certificate_expires_at_seconds"
    series = f'{metric}{{namespace="prod", job="gateway", instance="a"}}'
    alert = {"exp_labels": {"severity": "critical", **labels}, "exp_annotations": annotations}
    case = {
        "rule_files": [str(RULES)],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": f"{expires}x40"}],
                "alert_rule_test": [
                    {"alertname": name, "eval_time": "30m", "exp_alerts": [alert]},
                ],
            }
        ],
    }
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(case))
    assert "SUCCESS" in promtool("test", "rules", tmp_path / "case.yaml")


@pytest.mark.parametrize(("status", "share"), [("200", 0), ("503", 0.5)])
def test_the_share_of_errors_is_a_number_when_nobody_calls(
    tmp_path: Path, status: str, share: float
) -> None:
    """Grafana would show that 0 / 0 is none."""
    panels = json.loads(RULES.with_name("dashboard.json").read_text())["panels"]
    (text,) = (
        panel["targets"][0]["expr"] for panel in panels if panel["title"] == "Calls that fail (5xx)"
    )
    text = re.sub(r"\$\w+", lambda found: ".*" if "__" not in found[0] else "2m", text)
    series = 'zoom_gateway_requests_total{namespace="prod", job="gateway", account="default"'
    case = {
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f'{series}, status="{status}"}}', "values": "0+60x5 300x10"},
                    {"series": f'{series}, status="404"}}', "values": "0+60x5 300x10"},
                ],
                "promql_expr_test": [
                    {"expr": text, "eval_time": at, "exp_samples": [{"labels": "{}", "value": one}]}
                    for at, one in (("5m", share), ("12m", 0))
                ],
            }
        ],
    }
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(case))
    assert "SUCCESS" in promtool("test", "rules", tmp_path / "case.yaml")


def test_no_case_is_of_an_alert_that_is_not_there() -> None:
    assert {alert for alert, _ in looks()} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_is_wrong_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert re.fullmatch(r"ZoomGateway[A-Z]\w+", alert)
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOK}#{alert.lower()}"
    assert len(rule["annotations"]["summary"]) < 100
    assert "\n" not in "".join(rule["annotations"].values())


@pytest.mark.parametrize("alert", ALERTS)
def test_what_an_alert_tells_with_is_there_when_it_fires(alert: str) -> None:
    """A label that the alert does not have shows as nothing."""
    annotations = ALERTS[alert]["annotations"]
    used = set(re.findall(r"\$labels\.(\w+)", annotations["summary"] + annotations["description"]))
    samples = [one for name, samples in looks() if name == alert for one in samples]
    # The alert that no gateway was ever scraped can name none.
    assert any(used <= labels_of(one).keys() for one in samples)
    if "account" in samples[0]["labels"]:
        assert "account" in used
