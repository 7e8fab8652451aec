"""Values that are allowed, and that YAML or Kubernetes would take for something else."""

import pytest

from tests.support.helm import Document, Helm, Values

ACCOUNT: Values = {"credentials": {"existingSecret": "zoom"}}


def secrets(pod: Document) -> dict[str, Document]:
    return {one["name"]: one["secret"] for one in pod["volumes"] if "secret" in one}


def test_the_operator_s_labels_go_over_the_common_ones_and_ours_over_both(helm: Helm) -> None:
    """Rendered documents are read strictly: no key is there twice."""
    label = "app.kubernetes.io/name"
    found = helm.render(
        {
            **ACCOUNT,
            "commonLabels": {"team": "all", "tier": "edge"},
            "podLabels": {"team": "pods", label: "other"},
            "podAnnotations": {"checksum/config": "same", "scan": "no"},
            "service": {"labels": {"team": "callers", "app.kubernetes.io/component": "other"}},
            "adminService": {"labels": {"team": "admins"}},
            "serviceMonitor": {"enabled": True, "labels": {"team": "scrapers"}},
            "prometheusRule": {"enabled": True, "labels": {"team": "alerts"}},
            "dashboard": {"enabled": True, "labels": {"team": "looks"}},
        }
    )
    template = found.one("Deployment")["spec"]["template"]["metadata"]
    labels = template["labels"]
    assert (labels["team"], labels["tier"]) == ("pods", "edge")
    assert found.one("Deployment")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert template["annotations"]["checksum/config"] != "same"
    assert template["annotations"]["scan"] == "no"
    teams = {
        (one["kind"], one["metadata"]["labels"]["team"])
        for one in found.documents
        if one["metadata"]["labels"]["team"] != "all"
    }
    assert teams == {
        ("Service", "callers"),
        ("Service", "admins"),
        ("ServiceMonitor", "scrapers"),
        ("PrometheusRule", "alerts"),
        ("ConfigMap", "looks"),
    }
    proxy = next(one for one in found.every("Service") if one["spec"]["ports"][0]["name"] == "http")
    assert proxy["metadata"]["labels"]["app.kubernetes.io/component"] == "proxy"


@pytest.mark.parametrize("word", ["123", "true", "1e3", "null"])
def test_a_name_that_looks_like_something_else_is_a_name(helm: Helm, word: str) -> None:
    found = helm.render(
        {
            "credentials": {"existingSecret": word, "keys": {"accountId": word}},
            "store": {"url": "redis://r/0", "existingSecret": word, "keys": {"password": word}},
            "serviceAccount": {"name": word},
            "priorityClassName": word,
            "fullnameOverride": "zoom",
            "serviceMonitor": {"enabled": True},
        },
        release=word,
        namespace=word,
    )
    assert {one["metadata"]["namespace"] for one in (*found.documents, *found.hooks)} == {word}
    assert found.one("ServiceMonitor")["spec"]["namespaceSelector"] == {"matchNames": [word]}
    for one in found.documents:
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == word
    assert found.one("ServiceAccount")["metadata"]["name"] == word
    assert found.pod["serviceAccountName"] == found.pod["priorityClassName"] == word
    assert {one["secretName"] for one in secrets(found.pod).values()} == {word}
    assert secrets(found.pod)["store"]["items"] == [{"key": word, "path": "password"}]
    account = found.gateway["env"][0]["valueFrom"]["secretKeyRef"]
    assert account == {"name": word, "key": word}


def test_a_release_with_dots_makes_services(helm: Helm) -> None:
    found = helm.render(ACCOUNT, release="zoom.v2")
    assert {one["metadata"]["name"] for one in found.every("Service")} == {
        "zoom-v2-zoom-gateway",
        "zoom-v2-zoom-gateway-admin",
    }


def test_the_longest_release_fits(helm: Helm) -> None:
    found = helm.render({**ACCOUNT, "dashboard": {"enabled": True}}, release="r" * 53)
    names = {one["metadata"]["name"] for one in (*found.documents, *found.hooks)}
    assert max(map(len, names)) <= 63
    assert len(names) == 4


@pytest.mark.parametrize("context", [{"fsGroup": None}, None])
def test_secrets_are_readable_without_a_group(helm: Helm, context: Values | None) -> None:
    """They are root's then, and the gateway is not root."""
    found = helm.render({**ACCOUNT, "podSecurityContext": context})
    assert "fsGroup" not in (found.pod["securityContext"] or {})
    assert {one["defaultMode"] for one in secrets(found.pod).values()} == {0o444}


def test_nothing_under_a_key_is_nothing(helm: Helm) -> None:
    """As a file of values has it in which all below a key is commented out."""
    nothing = dict.fromkeys(
        [
            *("config", "accounts", "commonLabels", "podLabels", "podAnnotations", "nodeSelector"),
            *("extraEnv", "extraVolumes", "tolerations", "affinity", "imagePullSecrets"),
        ]
    )
    assert helm.render({**ACCOUNT, **nothing}) == helm.render(ACCOUNT)


def test_probes_can_be_taken_away(helm: Helm) -> None:
    kinds = ("startupProbe", "livenessProbe", "readinessProbe")
    found = helm.render({**ACCOUNT, **dict.fromkeys(kinds)})
    assert not set(kinds) & found.gateway.keys()


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://otel.tracing:4318", 4318), ("https://otel.example/v1/traces?x=:9", 443)],
)
def test_the_policy_lets_spans_out(helm: Helm, endpoint: str, port: int) -> None:
    found = helm.render({**ACCOUNT, "config": {"tracing": {"endpoint": endpoint}}})
    egress = found.one("NetworkPolicy")["spec"]["egress"]
    assert {"ports": [{"port": port, "protocol": "TCP"}]} in egress


def test_the_store_s_port_is_read_as_the_gateway_reads_it(helm: Helm) -> None:
    found = helm.render({**ACCOUNT, "config": {"store": {"url": "redis://h:7000?x=1"}}})
    egress = found.one("NetworkPolicy")["spec"]["egress"]
    assert {"ports": [{"port": 7000, "protocol": "TCP"}]} in egress
