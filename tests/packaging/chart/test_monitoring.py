"""What the Prometheus operator and Grafana get. Kubernetes has no schema of their kinds."""

import json
import re

import pytest
import yaml

from tests.support.helm import CHART, NAME, NAMESPACE, Helm, RefusedError, Rendered, Values

Matrix = dict[str, Rendered]
ACCOUNT: Values = {"credentials": {"existingSecret": "zoom"}}
RULES = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())


def test_the_monitor_finds_the_admin_service_alone(matrix: Matrix) -> None:
    found = matrix["monitoring"].one("ServiceMonitor")
    assert found["apiVersion"] == "monitoring.coreos.com/v1"
    assert found["metadata"]["labels"]["release"] == "prometheus"
    assert set(found["spec"]) == {"selector", "namespaceSelector", "endpoints"}
    assert found["spec"]["namespaceSelector"] == {"matchNames": [NAMESPACE]}
    wanted = found["spec"]["selector"]["matchLabels"].items()
    services = matrix["monitoring"].every("Service")
    matching = [one for one in services if wanted <= one["metadata"]["labels"].items()]
    assert [one["metadata"]["name"] for one in matching] == [f"{NAME}-admin"]
    (endpoint,) = found["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in matching[0]["spec"]["ports"]}
    assert endpoint["path"] == "/metrics"
    assert endpoint["relabelings"] == [{"action": "labeldrop", "regex": "pod_template_hash"}]


def test_sidecars_are_found_by_their_port(matrix: Matrix) -> None:
    (endpoint,) = matrix["sidecar"].one("PodMonitor")["spec"]["podMetricsEndpoints"]
    ports = {port["name"]: port["containerPort"] for port in matrix["app"].gateway["ports"]}
    assert ports[endpoint["port"]] == 9090
    assert endpoint["path"] == "/metrics"


def test_each_application_s_sidecars_are_scraped_once(matrix: Matrix) -> None:
    """Two applications in one namespace have a monitor each, and ports of the same name."""
    (keep,) = matrix["sidecar"].one("PodMonitor")["spec"]["podMetricsEndpoints"][0]["relabelings"]
    assert keep["action"] == "keep"
    (label,) = keep["sourceLabels"]
    pattern = re.compile(keep["regex"])
    template = matrix["app"].one("Deployment")["spec"]["template"]["metadata"]
    ((key, ours),) = [
        item
        for item in template["annotations"].items()
        if label == f"__meta_kubernetes_pod_annotation_{re.sub('[^a-z]', '_', item[0])}"
    ]
    assert key == "zoom-gateway/sidecar"
    assert pattern.fullmatch(ours)
    # A pod without the annotation is somebody's, too.
    assert pattern.fullmatch("")
    assert not pattern.fullmatch("other-zoom-gateway")


def test_alerts_can_be_left_out(helm: Helm) -> None:
    """A fleet of jobs is often not there at all."""
    names = ["ZoomGatewayAbsent", "ZoomGatewayVersionsDiffer"]
    rule: Values = {"enabled": True, "disabled": names}
    found = helm.render({**ACCOUNT, "prometheusRule": rule}).one("PrometheusRule")["spec"]
    left = [one for group in found["groups"] for one in group["rules"]]
    assert left == [
        one for group in RULES["groups"] for one in group["rules"] if one["alert"] not in names
    ]
    with pytest.raises(RefusedError, match="there is no alert ZoomGatewayAbsend"):
        helm.render({**ACCOUNT, "prometheusRule": {**rule, "disabled": ["ZoomGatewayAbsend"]}})


def test_the_rules_arrive_as_they_are(matrix: Matrix) -> None:
    """Their texts hold braces of Prometheus' own templates, which Helm must not touch."""
    assert "{{ $" in (CHART / "files" / "alerts.yaml").read_text()
    assert matrix["sidecar"].one("PrometheusRule")["spec"] == RULES


def test_the_links_lead_to_another_runbook(matrix: Matrix) -> None:
    found = matrix["monitoring"].one("PrometheusRule")["spec"]
    rules = [rule for group in found["groups"] for rule in group["rules"] if "alert" in rule]
    assert rules
    for rule in rules:
        url, _, place = rule["annotations"]["runbook_url"].partition("#")
        assert url == "https://wiki.example/zoom-gateway"
        assert place == rule["alert"].lower()
    # Nothing else has changed.
    text = json.dumps(found).replace("https://wiki.example/zoom-gateway#", "RUNBOOK#")
    ours = "https://github.com/zoom-gateway/zoom-gateway/blob/main/docs/runbook.md#"
    assert json.loads(text) == json.loads(json.dumps(RULES).replace(ours, "RUNBOOK#"))


def test_grafana_finds_the_dashboard(matrix: Matrix) -> None:
    found = matrix["monitoring"].one("ConfigMap", f"{NAME}-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["annotations"] == {"grafana_folder": "Zoom"}
    ((name, text),) = found["data"].items()
    assert name.endswith(".json")
    assert json.loads(text) == json.loads((CHART / "files" / "dashboard.json").read_text())


def test_none_of_it_unless_asked_for(helm: Helm) -> None:
    found = helm.render(ACCOUNT)
    assert not any("monitoring" in one["apiVersion"] for one in found.documents)
    assert len(found.every("ConfigMap")) == 1
