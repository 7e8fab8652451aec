"""The shared service: a Deployment and what belongs to it."""

import re
from typing import Any

import pytest
import yaml

from gateway import __version__
from tests.support.helm import CHART, NAME, NAMESPACE, RELEASE, Document, Helm, Rendered, Values

ACCOUNT: Values = {"credentials": {"existingSecret": "zoom"}}
SELECTOR = {
    "app.kubernetes.io/name": "zoom-gateway",
    "app.kubernetes.io/instance": RELEASE,
    "app.kubernetes.io/component": "gateway",
}
Matrix = dict[str, Rendered]


def test_the_probes_ask_the_admin_port(matrix: Matrix) -> None:
    container = matrix["one-account"].gateway
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "http": 8080,
        "admin": 9090,
    }
    asked = {
        kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")
    }
    assert asked == {
        "startup": {"path": "/livez", "port": "admin"},
        "liveness": {"path": "/livez", "port": "admin"},
        # Zoom's faults must not restart anything, so only this one looks at tokens.
        "readiness": {"path": "/readyz", "port": "admin"},
    }


def test_it_listens_where_probes_and_callers_come(matrix: Matrix) -> None:
    config = matrix["extras"].config
    assert config["listen"] == {"host": "0.0.0.0", "port": 8000}
    assert config["admin"] == {"host": "0.0.0.0", "port": 9000}
    ports = {port["name"]: port["containerPort"] for port in matrix["extras"].gateway["ports"]}
    assert ports == {"http": 8000, "admin": 9000}


def test_nobody_acts_through_the_admin_port_unless_told(matrix: Matrix) -> None:
    for rendered in matrix.values():
        assert set(rendered.config["admin"]) == {"host", "port"}


def test_callers_do_not_get_to_the_admin_port(matrix: Matrix) -> None:
    found = matrix["extras"]
    proxy = found.one("Service", "zoom")["spec"]
    admin = found.one("Service", "zoom-admin")["spec"]
    assert [(port["port"], port["targetPort"]) for port in proxy["ports"]] == [(80, "http")]
    assert [(port["port"], port["targetPort"]) for port in admin["ports"]] == [(9100, "admin")]
    assert proxy["type"] == "LoadBalancer"
    assert admin["type"] == "ClusterIP"
    labels = found.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert proxy["selector"].items() <= labels.items()
    assert admin["selector"].items() <= labels.items()


@pytest.mark.parametrize("case", ["one-account", "fleet", "extras"])
def test_there_is_time_to_drain(matrix: Matrix, case: str) -> None:
    found = matrix[case]
    drain = found.config["drain"]
    assert found.pod["terminationGracePeriodSeconds"] >= drain["delay"] + drain["timeout"] + 5
    # The gateway itself goes on while endpoints notice; the image has no shell for a hook either.
    assert "lifecycle" not in found.gateway


def test_a_rollout_takes_no_replica_away(matrix: Matrix) -> None:
    strategy = matrix["fleet"].one("Deployment")["spec"]["strategy"]
    assert strategy == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    assert matrix["accounts"].one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def checksum(rendered: Rendered) -> Any:
    template = rendered.one("Deployment")["spec"]["template"]
    return template["metadata"]["annotations"]["checksum/config"]


def test_a_changed_configuration_makes_new_pods(helm: Helm) -> None:
    first = checksum(helm.render(ACCOUNT))
    assert first == checksum(helm.render({**ACCOUNT, "podLabels": {"other": "thing"}}))
    assert first != checksum(helm.render({**ACCOUNT, "config": {"log": {"level": "debug"}}}))


def test_secrets_are_files_that_the_kubelet_renews(matrix: Matrix) -> None:
    found = matrix["fleet"]
    volumes = {one["name"]: one["secret"] for one in found.pod["volumes"] if "secret" in one}
    assert {one["secretName"] for one in volumes.values()} == {"zoom", "zoom-store", "redis-tls"}
    assert {one["defaultMode"] for one in volumes.values()} == {0o440}
    mounts = {one["name"]: one for one in found.gateway["volumeMounts"]}
    for name in volumes:
        assert mounts[name]["readOnly"] is True
        # A subPath is never renewed.
        assert "subPath" not in mounts[name]


def test_only_ids_are_variables(matrix: Matrix) -> None:
    found = matrix["one-account"].gateway["env"]
    assert {one["name"]: one["valueFrom"]["secretKeyRef"]["key"] for one in found} == {
        "ZOOM_ACCOUNT_ID": "account-id",
        "ZOOM_CLIENT_ID": "client-id",
    }
    assert "env" not in matrix["fleet"].gateway


def test_every_app_has_a_secret_of_its_own(matrix: Matrix) -> None:
    apps = [
        app for account in matrix["accounts"].config["accounts"].values() for app in account["apps"]
    ]
    paths = [app["client_secret_file"] for app in apps]
    assert len(set(paths)) == len(paths) == 3
    two = next(app for app in apps if app["name"] == "two")
    assert two["previous_client_secret_file"].endswith("/sales/two/previous-client-secret")
    assert two["token_indexes"] == [0, 1]


def test_the_image_by_tag_or_digest(helm: Helm, matrix: Matrix) -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert version == __version__
    assert matrix["one-account"].gateway["image"] == f"zoom-gateway:{version}"
    assert matrix["fleet"].gateway["image"].startswith("registry.example/zoom-gateway@sha256:0")
    tagged = helm.render({**ACCOUNT, "image": {"tag": "9.9"}})
    assert tagged.gateway["image"] == "zoom-gateway:9.9"
    assert tagged.hooks[0]["spec"]["containers"][0]["image"] == "zoom-gateway:9.9"


def test_the_budget_never_holds_up_a_node(matrix: Matrix) -> None:
    budget = matrix["fleet"].one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["selector"]["matchLabels"] == SELECTOR
    assert not matrix["accounts"].every("PodDisruptionBudget")


def test_the_autoscaler_looks_at_cpu_and_calls(matrix: Matrix) -> None:
    found = matrix["autoscaling"]
    assert "replicas" not in found.one("Deployment")["spec"]
    spec = found.one("HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"]["name"] == found.one("Deployment")["metadata"]["name"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 20)
    cpu, calls = spec["metrics"]
    assert cpu["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
    assert calls["pods"]["metric"]["name"] == "zoom_gateway_inflight_requests"
    assert calls["pods"]["target"] == {"type": "AverageValue", "averageValue": "50"}
    assert "cpu" in found.gateway["resources"]["requests"]
    assert not matrix["fleet"].every("HorizontalPodAutoscaler")
    assert matrix["fleet"].one("Deployment")["spec"]["replicas"] == 3


def egress(rendered: Rendered) -> dict[tuple[int, ...], Document]:
    rules = rendered.one("NetworkPolicy")["spec"]["egress"]
    return {tuple(sorted({port["port"] for port in rule["ports"]})): rule for rule in rules}


def test_the_policy_lets_callers_and_scrapers_in(matrix: Matrix) -> None:
    spec = matrix["one-account"].one("NetworkPolicy")["spec"]
    assert spec["podSelector"]["matchLabels"] == SELECTOR
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    proxy, admin = spec["ingress"]
    test = {"podSelector": {"matchLabels": SELECTOR | {"app.kubernetes.io/component": "test"}}}
    assert [port["port"] for port in proxy["ports"]] == ["http"]
    assert proxy["from"] == [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {"zoom-gateway/client": "true"}}},
        test,
    ]
    assert [port["port"] for port in admin["ports"]] == ["admin"]
    assert admin["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
        test,
    ]


def test_no_callers_means_none(helm: Helm) -> None:
    """An empty `from` would let everybody in."""
    policy = helm.render({**ACCOUNT, "networkPolicy": {"clients": [], "monitoring": []}})
    for rule in policy.one("NetworkPolicy")["spec"]["ingress"]:
        assert len(rule["from"]) == 1


def test_the_policy_lets_the_gateway_out_where_it_has_to(matrix: Matrix) -> None:
    assert set(egress(matrix["one-account"])) == {(53,), (443,)}
    everywhere = egress(matrix["one-account"])[443,]["to"]
    assert {one["ipBlock"]["cidr"] for one in everywhere} == {"0.0.0.0/0", "::/0"}
    assert "169.254.0.0/16" in everywhere[0]["ipBlock"]["except"]
    assert set(egress(matrix["fleet"])) == {(53,), (443,), (6380,)}
    cache = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "cache"}}}
    assert egress(matrix["fleet"])[6380,]["to"] == [cache]
    # The Sentinels' ports, and Redis's own.
    assert set(egress(matrix["sentinel"])) == {(53,), (443,), (6379, 26379, 26380)}
    assert set(egress(matrix["simulator"])) == {(53,)}
    assert (4318,) in egress(matrix["extras"])
    assert not matrix["accounts"].every("NetworkPolicy")


def test_the_ports_follow_the_urls(helm: Helm) -> None:
    found = helm.render(
        {
            **ACCOUNT,
            "config": {
                "upstream": {
                    "api_url": "https://zoom.example:8443",
                    "token_url": "https://zoom.example/oauth/token",
                },
                "store": {"url": "redis://gateway@[fd00::1]/0", "password_file": "/vault/password"},
            },
        }
    )
    assert set(egress(found)) == {(53,), (443, 8443), (6379,)}


def test_replicas_spread_over_nodes_and_zones(matrix: Matrix) -> None:
    found = matrix["fleet"].pod["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in found] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert all(one["labelSelector"]["matchLabels"] == SELECTOR for one in found)
    assert {one["whenUnsatisfiable"] for one in found} == {"ScheduleAnyway"}
    assert "topologySpreadConstraints" not in matrix["accounts"].pod
    assert matrix["extras"].pod["topologySpreadConstraints"][0]["whenUnsatisfiable"] == (
        "DoNotSchedule"
    )


def test_the_account_of_the_pod_has_no_token(matrix: Matrix) -> None:
    assert matrix["fleet"].one("ServiceAccount")["automountServiceAccountToken"] is False
    assert matrix["fleet"].pod["serviceAccountName"] == NAME
    assert matrix["accounts"].pod["serviceAccountName"] == "existing"
    assert not matrix["accounts"].every("ServiceAccount")


def test_what_the_operator_adds_arrives(matrix: Matrix) -> None:
    found = matrix["extras"]
    template = found.one("Deployment")["spec"]["template"]
    assert template["metadata"]["labels"]["example.com/tier"] == "edge"
    assert template["metadata"]["labels"]["team"] == "calls"
    assert template["metadata"]["annotations"]["example.com/scan"] == "no"
    assert [one["name"] for one in found.pod["initContainers"]] == ["fetch"]
    assert "vault" in {one["name"] for one in found.pod["volumes"]}
    assert "/vault" in {one["mountPath"] for one in found.gateway["volumeMounts"]}
    assert found.gateway["envFrom"] == [{"secretRef": {"name": "zoom-environment"}}]
    assert found.pod["priorityClassName"] == "high"
    assert found.pod["nodeSelector"] == {"kubernetes.io/arch": "amd64"}
    assert found.pod["tolerations"] == [{"key": "edge", "operator": "Exists"}]
    assert found.pod["terminationGracePeriodSeconds"] == 90
    assert matrix["fleet"].pod["imagePullSecrets"] == [{"name": "registry"}]
    assert "--workers=2" in matrix["fleet"].gateway["args"]


def test_temporary_files_have_a_place_of_limited_size(matrix: Matrix) -> None:
    volumes = {one["name"]: one for one in matrix["fleet"].pod["volumes"]}
    assert volumes["tmp"] == {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}}
    mounts = {one["mountPath"]: one for one in matrix["fleet"].gateway["volumeMounts"]}
    assert mounts["/tmp"]["name"] == "tmp"


def test_the_test_pod_calls_through_the_service(matrix: Matrix) -> None:
    (hook,) = matrix["extras"].hooks
    assert hook["metadata"]["annotations"]["helm.sh/hook"] == "test"
    ready, call = hook["spec"]["initContainers"][0], hook["spec"]["containers"][0]
    assert ready["args"] == ["status", "--ready", "--url=http://zoom-admin:9100"]
    assert call["args"][-1] == "http://zoom:80/v2/users?page_size=1"
    compile(call["args"][0], "call", "exec")
    # The Deployment's selector must not take it for a replica.
    assert not SELECTOR.items() <= hook["metadata"]["labels"].items()


COMMAND = re.compile(r"^  (kubectl|helm|curl) .*$", re.MULTILINE)


def test_the_configuration_is_where_the_image_looks_for_it(matrix: Matrix) -> None:
    """So `status` and `check` in the container need no options."""
    dockerfile = (CHART.parent / "Dockerfile").read_text()
    looked = re.search(r"ZOOM_GATEWAY_CONFIG=(\S+)", dockerfile)
    assert looked
    assert f"--config={looked[1]}" in matrix["one-account"].gateway["args"]


@pytest.mark.parametrize("case", ["one-account", "extras", "simulator"])
def test_the_notes_name_what_is_there(matrix: Matrix, case: str) -> None:
    found = matrix[case]
    notes = found.notes
    commands = [match[0].strip() for match in COMMAND.finditer(notes)]
    assert len(commands) >= 8
    for command in commands:
        if command.startswith("kubectl") and "label" not in command:
            assert f"--namespace {NAMESPACE} " in command
    named = set(re.findall(r"(deployment|service)/([a-z-]+)", notes))
    there = {(one["kind"].lower(), one["metadata"]["name"]) for one in found.documents}
    assert named <= there
    for name, port in re.findall(r"service/([a-z-]+) \d+:(\d+)", notes):
        assert int(port) == found.one("Service", name)["spec"]["ports"][0]["port"]
    assert f"helm test {RELEASE} --namespace {NAMESPACE}" in notes
    service = named - {("deployment", found.one("Deployment")["metadata"]["name"])}
    assert len(service) == 2
    assert ("zoom-gateway check" in notes) is (case != "simulator")


def test_the_notes_name_every_account(matrix: Matrix) -> None:
    notes = matrix["accounts"].notes
    assert f"http://{NAME}.{NAMESPACE}.svc:8080/@sales/v2" in notes
    assert "networkPolicy.enabled is false: every pod" in notes
