"""TLS, who may call, limits and the way to Zoom, as the chart has them."""

import re

import pytest

from tests.packaging.chart.test_service import COMMAND, egress
from tests.support.helm import NAME, NAMESPACE, Document, Helm, Rendered, Values

Matrix = dict[str, Rendered]
ACCOUNT: Values = {"credentials": {"existingSecret": "zoom"}}
HOST = f"{NAME}.{NAMESPACE}.svc"
ROOT = "/run/secrets/zoom-gateway"


def service(rendered: Rendered) -> Document:
    (port,) = rendered.one("Service", NAME)["spec"]["ports"]
    assert isinstance(port, dict)
    return port


def files(rendered: Rendered) -> dict[str, tuple[str, dict[str, str]]]:
    """Below our root, by path: where it comes from, and its files with their keys there."""
    volumes = {one["name"]: one for one in rendered.pod["volumes"]}
    found = {}
    for mounted in rendered.gateway["volumeMounts"]:
        if not mounted["mountPath"].startswith(ROOT):
            continue
        # A subPath is never renewed.
        assert mounted["readOnly"] is True
        assert "subPath" not in mounted
        volume = volumes[mounted["name"]]
        source = volume.get("secret") or volume["configMap"]
        items = {item["path"]: item["key"] for item in source["items"]}
        assert source["defaultMode"] == 0o440
        kind = "secret" if "secret" in volume else "configMap"
        name = source["secretName" if kind == "secret" else "name"]
        found[mounted["mountPath"].removeprefix(f"{ROOT}/")] = (f"{kind} {name}", items)
    return found


def test_plain_http_unless_told(matrix: Matrix) -> None:
    assert "tls" not in matrix["one-account"].config
    assert (
        service(matrix["one-account"])["name"],
        service(matrix["one-account"])["appProtocol"],
    ) == (
        "http",
        "http",
    )


def test_the_certificate_is_files_that_the_kubelet_renews(matrix: Matrix) -> None:
    found = matrix["tls"]
    assert found.config["tls"] == {
        "certificate_file": f"{ROOT}/tls/certificate.pem",
        "key_file": f"{ROOT}/tls/key.pem",
        "client_ca_file": f"{ROOT}/client-ca/ca.pem",
        "client_certificates": "required",
        # Of `config`, over what the chart sets.
        "minimum_version": "1.3",
    }
    assert files(found)["tls"] == (
        "secret zoom-gateway-tls",
        {"certificate.pem": "tls.crt", "key.pem": "tls.key"},
    )
    assert files(found)["client-ca"] == ("configMap callers-ca", {"ca.pem": "ca.crt"})
    assert files(matrix["certificate"])["client-ca"] == (
        "secret callers-ca",
        {"ca.pem": "bundle.pem"},
    )


def test_it_answers_to_the_names_of_its_certificate(helm: Helm, matrix: Matrix) -> None:
    assert matrix["certificate"].config["access"]["hosts"] == ["zoom.example.com"]
    assert "hosts" not in matrix["tls"].config.get("access", {})
    certificate = {"enabled": True, "issuerRef": {"name": "i"}, "dnsNames": ["zoom.example.com"]}
    given = {"access": {"hosts": ["*.example.com"]}}
    found = helm.render({**ACCOUNT, "tls": {"certificate": certificate}, "config": given})
    assert found.config["access"]["hosts"] == ["*.example.com"]


@pytest.mark.parametrize("case", ["tls", "certificate"])
def test_everybody_learns_that_it_is_https(matrix: Matrix, case: str) -> None:
    found = matrix[case]
    port = service(found)
    assert (port["name"], port["appProtocol"], port["port"]) == ("https", "https", 8080)
    # Old pods and new ones have a port of this name, so that a change to TLS cuts nobody off.
    names = [one["name"] for one in found.gateway["ports"]]
    ingress = found.one("NetworkPolicy")["spec"]["ingress"][0]
    assert port["targetPort"] == ingress["ports"][0]["port"] == "http"
    assert "http" in names
    # The kubelet and Prometheus show no certificate.
    probes = [
        found.gateway[f"{one}Probe"]["httpGet"] for one in ("startup", "liveness", "readiness")
    ]
    assert all(one["port"] == "admin" and "scheme" not in one for one in probes)
    (admin,) = found.one("Service", f"{NAME}-admin")["spec"]["ports"]
    assert admin["appProtocol"] == "http"


def test_tls_by_the_configuration_alone_is_https_too(helm: Helm) -> None:
    paths = {"certificate_file": "/vault/a.pem", "key_file": "/vault/b.pem"}
    found = helm.render({**ACCOUNT, "config": {"tls": paths}})
    assert service(found)["appProtocol"] == "https"
    assert found.config["tls"] == paths
    # Whose CA is the system's, or nobody's.
    (hook,) = found.hooks
    assert "volumes" not in hook["spec"]
    assert hook["spec"]["containers"][0]["args"][2:4] == [HOST, "off"]


def test_cert_manager_is_asked_for_the_names_of_the_service(matrix: Matrix) -> None:
    """Kubernetes has no schema of its kind."""
    found = matrix["certificate"].one("Certificate")
    assert found["apiVersion"] == "cert-manager.io/v1"
    spec = found["spec"]
    assert set(spec) == {
        *("secretName", "issuerRef", "dnsNames", "duration", "renewBefore", "privateKey", "usages"),
    }
    assert spec["issuerRef"] == {
        "group": "cert-manager.io",
        "kind": "ClusterIssuer",
        "name": "internal",
    }
    assert spec["dnsNames"] == [
        *(NAME, f"{NAME}.{NAMESPACE}", HOST, f"{HOST}.cluster.local", "zoom.example.com"),
    ]
    assert spec["privateKey"]["rotationPolicy"] == "Always"
    assert spec["usages"] == ["digital signature", "server auth"]
    # The Secret that it makes is the one that is mounted.
    assert files(matrix["certificate"])["tls"][0] == f"secret {spec['secretName']}"
    assert not matrix["tls"].every("Certificate")


def test_keys_of_callers_are_files_and_rules_name_them(matrix: Matrix) -> None:
    found = matrix["tls"]
    access = found.config["access"]
    assert access["keys"] == {
        name: {"key_file": f"{ROOT}/access/{name}/key"} for name in ("sales", "night-jobs")
    }
    assert access["default"] == "deny"
    assert {rule["callers"]["keys"][0] for rule in access["rules"]} == set(access["keys"])
    assert files(found)["access/sales"] == ("secret zoom-gateway-keys", {"key": "sales"})
    assert files(found)["access/night-jobs"] == ("secret zoom-gateway-keys", {"key": "jobs"})


def test_cas_for_zoom_s_hosts_are_a_file(matrix: Matrix) -> None:
    found = matrix["tls"]
    assert found.config["upstream"] == {"ca_file": f"{ROOT}/upstream-ca/ca.pem"}
    assert files(found)["upstream-ca"] == ("configMap egress-ca", {"ca.pem": "bundle.pem"})


def test_the_proxy_s_url_stays_in_its_secret(matrix: Matrix) -> None:
    (variable,) = (
        one for one in matrix["tls"].gateway["env"] if one["name"].startswith("ZOOM_GATEWAY_")
    )
    assert variable["name"] == "ZOOM_GATEWAY_UPSTREAM__EGRESS_PROXY"
    assert variable["valueFrom"] == {"secretKeyRef": {"name": "egress-proxy", "key": "url"}}
    assert "egress_proxy" not in matrix["tls"].config["upstream"]


def test_the_policy_lets_the_gateway_out_to_the_proxy(matrix: Matrix, helm: Helm) -> None:
    assert set(egress(matrix["tls"])) == {(53,), (443,), (3128,)}
    assert egress(matrix["tls"])[3128,]["to"] == [{"ipBlock": {"cidr": "10.1.2.3/32"}}]
    # As HTTPS_PROXY says; wherever it is.
    assert "to" not in egress(matrix["certificate"])[8888,]
    for url, port in (("http://proxy.example:3129", 3129), ("http://proxy.example", 80)):
        found = helm.render({**ACCOUNT, "config": {"upstream": {"egress_proxy": url}}})
        assert set(egress(found)) == {(53,), (443,), (port,)}
    off: Values = {
        "config": {"upstream": {"egress_proxy": "off"}},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
    }
    assert set(egress(helm.render({**ACCOUNT, **off}))) == {(53,), (443,)}


def test_the_test_pod_speaks_tls(matrix: Matrix) -> None:
    (hook,) = matrix["tls"].hooks
    (call,) = hook["spec"]["containers"]
    script, url, name, shown, directory = call["args"]
    compile(script, "call", "exec")
    assert url == f"https://{HOST}:8080/v2/users?page_size=1"
    assert (name, shown) == (HOST, "required")
    assert call["volumeMounts"] == [{"name": "files", "mountPath": directory, "readOnly": True}]
    (volume,) = hook["spec"]["volumes"]
    ca, own = (one["secret"] for one in volume["projected"]["sources"])
    assert volume["projected"]["defaultMode"] == 0o440
    assert (ca["name"], ca["items"], ca["optional"]) == (
        "zoom-gateway-tls",
        [{"key": "ca.crt", "path": "ca.crt"}],
        True,
    )
    assert own["name"] == "zoom-gateway-test"
    assert {item["path"] for item in own["items"]} == {"tls.crt", "tls.key"}
    (plain,) = matrix["one-account"].hooks
    assert "volumes" not in plain["spec"]
    assert len(plain["spec"]["containers"][0]["args"]) == 2


def test_the_notes_say_how_to_call(matrix: Matrix) -> None:
    notes = matrix["tls"].notes
    assert f"  https://{HOST}:8080/v2\n" in notes
    assert "Each shows a client certificate that tls.clientCA has signed." in notes
    assert "in the header X-Zoom-Gateway-Key: night-jobs, sales." in notes
    calls = [match[0] for match in COMMAND.finditer(notes) if "/v2/users" in match[0]]
    assert len(calls) == 1
    assert f"--resolve {HOST}:8080:127.0.0.1 https://{HOST}:8080/v2/users" in calls[0]
    assert "--cert client.crt --key client.key" in calls[0]
    assert r"get secret zoom-gateway-tls --output jsonpath='{.data.ca\.crt}'" in notes
    assert "http://127.0.0.1:8080" not in notes
    assert not re.search(r"https://", matrix["one-account"].notes)


def test_a_sidecar_may_listen_on_a_socket(helm: Helm, matrix: Matrix) -> None:
    found = helm.render(
        {
            **ACCOUNT,
            "mode": "sidecar",
            "store": {"url": "redis://redis.example/0"},
            "config": {"listen": {"socket": "/run/zoom-gateway/proxy.sock"}},
        }
    )
    assert found.config["listen"] == {"socket": "/run/zoom-gateway/proxy.sock"}
    listen = matrix["socket"].config["listen"]
    assert set(listen) == {"socket", "socket_mode"}
    directory = listen["socket"].rpartition("/")[0]
    pod, gateway = matrix["socket"].pod, matrix["socket"].gateway
    (application,) = pod["containers"]
    ours, theirs = (
        next(one for one in container["volumeMounts"] if one["mountPath"] == directory)
        for container in (gateway, application)
    )
    assert ours["name"] == theirs["name"]
    assert "readOnly" not in ours
    volume = next(one for one in pod["volumes"] if one["name"] == ours["name"])
    assert "emptyDir" in volume
    # Both are in the group that owns the socket, and nobody else may write to it.
    assert pod["securityContext"]["fsGroup"]
    assert listen["socket_mode"] == "0660"
    assert {"name": "ZOOM_SOCKET", "value": listen["socket"]} in application["env"]
