"""The examples for clients with hard-coded hosts: their parts fit together."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import load
from tests.stores.certificates import Authority
from tests.support.helm import Helm, engine, tool
from tests.support.processes import ROOT

CONFIG = ROOT / "config"
KUBERNETES = CONFIG / "kubernetes" / "hard-coded-hosts.yaml"
NAMES = {"api.zoom.us", "zoom.us"}
TRUST = {"REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"}


@pytest.fixture(scope="module")
def kinds() -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all(KUBERNETES.read_text())}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (CONFIG / "compose" / "hard-coded-hosts.yaml").read_text()
    )
    return found


@pytest.mark.parametrize("version", ["1.29", "1.35"])
def test_kubernetes_knows_every_field(kinds: dict[str, Any], tmp_path: Path, version: str) -> None:
    own = [one for kind, one in kinds.items() if kind != "Certificate"]
    (tmp_path / "x.yaml").write_text(yaml.safe_dump_all(own))
    done = subprocess.run(
        [tool("kubernetes-validate"), "--strict", "-k", version, tmp_path / "x.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_zooms_names_lead_to_the_service_with_the_certificate(kinds: dict[str, Any]) -> None:
    pod = kinds["Deployment"]["spec"]["template"]["spec"]
    (alias,) = pod["hostAliases"]
    assert alias["ip"] == kinds["Service"]["spec"]["clusterIP"]
    assert set(alias["hostnames"]) == NAMES
    assert set(kinds["Certificate"]["spec"]["dnsNames"]) > NAMES
    assert kinds["Service"]["spec"]["ports"][0]["port"] == 443
    (box,) = pod["containers"]
    trust = {one["name"]: one["value"] for one in box["env"]}
    (mounted,) = box["volumeMounts"]
    assert set(trust) == TRUST
    assert set(trust.values()) == {f"{mounted['mountPath']}/ca.crt"}
    assert [one["name"] for one in pod["volumes"]] == [mounted["name"]]


def test_the_service_finds_the_charts_pods(kinds: dict[str, Any]) -> None:
    with engine() as helm:
        rendered = _render(helm, kinds)
    deployment = rendered.one("Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selector = dict(kinds["Service"]["spec"]["selector"])
    # The release's name is the test's own.
    selector["app.kubernetes.io/instance"] = labels["app.kubernetes.io/instance"]
    assert selector.items() <= labels.items()
    ports = [one["name"] for one in rendered.gateway["ports"]]
    assert kinds["Service"]["spec"]["ports"][0]["targetPort"] in ports


def _render(helm: Helm, kinds: dict[str, Any]) -> Any:
    secret = kinds["Certificate"]["spec"]["secretName"]
    account = yaml.safe_load((ROOT / "helm/ci/one-account-values.yaml").read_text())
    upstream = {"api_url": "auto", "nameservers": ["192.0.2.53"]}
    config = {**account.get("config", {}), "upstream": upstream}
    return helm.render({**account, "tls": {"existingSecret": secret}, "config": config})


def test_the_compose_file_leads_zooms_names_to_a_gateway_that_has_them(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    gateway, collector = compose["services"]["gateway"], compose["services"]["collector"]
    address = gateway["networks"]["zoom"]["ipv4_address"]
    assert set(collector["extra_hosts"]) == {f"{name}:{address}" for name in NAMES}
    assert "extra_hosts" not in gateway
    assert "ports" not in gateway
    assert set(collector["environment"]) == TRUST
    # Its configuration is whole, with files in the place of those that are mounted.
    own = Authority(tmp_path).issue(*NAMES)
    (tmp_path / "client_secret").write_text("demo-secret")
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "tls.crt").write_bytes(own.certificate.read_bytes())
    (tmp_path / "tls" / "tls.key").write_bytes(own.key.read_bytes())
    where = dict(one.removesuffix(":ro").split(":") for one in gateway["volumes"])
    environ = dict(gateway["environment"])
    for source, target in where.items():
        for name, value in environ.items():
            environ[name] = value.replace(target, str(tmp_path / source.removeprefix("./")))
    environ |= {"ZOOM_ACCOUNT_ID": "a", "ZOOM_CLIENT_ID": "b"}
    settings = load(CONFIG / "image.yaml", environ)
    assert settings.tls.on
    assert (settings.listen.host, settings.listen.port) == ("0.0.0.0", 443)
