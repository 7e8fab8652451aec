"""Everything that we render is what Kubernetes, checkov and the gateway itself take."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gateway.settings import load
from tests.packaging.chart.conftest import CASES, PLAIN
from tests.support.helm import Document, Helm, Rendered, tool
from tests.support.kubelet import SECRET, mount

VERSIONS = ("1.29", "1.31", "1.33", "1.35")
"""The oldest that has native sidecars, and later ones."""

OPERATOR = {"Certificate", "PodMonitor", "PrometheusRule", "ServiceMonitor"}
"""Kinds of cert-manager and the Prometheus operator, of which Kubernetes has no schema."""

PODS = [*CASES, "app", *PLAIN]
SKIPS = Path(__file__).parent / "checkov.yaml"


def write(rendered: Rendered, path: Path, *, but: set[str]) -> None:
    documents = [one for one in (*rendered.documents, *rendered.hooks) if one["kind"] not in but]
    path.write_text(yaml.safe_dump_all(documents))


def validate(version: str, *files: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [tool("kubernetes-validate"), "--strict", "-k", version, *files],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(
    matrix: dict[str, Rendered], version: str, tmp_path: Path
) -> None:
    for name, rendered in matrix.items():
        write(rendered, tmp_path / f"{name}.yaml", but=OPERATOR)
    done = validate(version, *sorted(tmp_path.glob("*.yaml")))
    assert done.returncode == 0, done.stdout + done.stderr
    count = sum(one["kind"] not in OPERATOR for r in matrix.values() for one in r.documents)
    assert done.stdout.count("passed") >= count


def test_a_field_that_is_none_would_be_noticed(matrix: dict[str, Rendered], tmp_path: Path) -> None:
    deployment = json.loads(json.dumps(matrix["simulator"].one("Deployment")))
    deployment["spec"]["template"]["spec"]["enableServiceLink"] = False
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(deployment))
    assert validate(VERSIONS[0], tmp_path / "wrong.yaml").returncode != 0


def test_checkov_finds_nothing_without_a_reason(
    matrix: dict[str, Rendered], tmp_path: Path
) -> None:
    for name, rendered in matrix.items():
        write(rendered, tmp_path / f"{name}.yaml", but=OPERATOR)
    done = subprocess.run(
        [
            *(str(tool("checkov")), "--directory", str(tmp_path), "--framework", "kubernetes"),
            *("--skip-download", "--compact", "--output", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 1000
    failed = {
        (one["check_id"], f"{Path(one['file_path']).stem}/{one['resource']}"): one["check_name"]
        for one in report["results"]["failed_checks"]
    }
    skips = yaml.safe_load(SKIPS.read_text())
    used = [
        {
            key
            for key in failed
            if re.fullmatch(skip["check"], key[0]) and re.search(skip["where"], key[1])
        }
        for skip in skips
    ]
    left = {key: name for key, name in failed.items() if key not in set().union(*used)}
    assert not left
    assert all(used), [skip for skip, found in zip(skips, used, strict=True) if not found]
    assert all(len(skip["reason"]) > 20 for skip in skips)


@pytest.mark.parametrize("case", [one for one in PODS if one != "sidecar"])
def test_the_gateway_takes_its_configuration(
    matrix: dict[str, Rendered], case: str, tmp_path: Path
) -> None:
    rendered = matrix[case]
    mounted = mount(rendered, tmp_path)
    if case == "extras":  # whose init container fetches it
        (tmp_path / "vault" / "client-secret").write_text(SECRET)
    settings = load(mounted.config, mounted.environ)
    # The numbers that an operator wrote are the numbers that arrive.
    for section, keys in rendered.config.items():
        for key, value in keys.items():
            if isinstance(value, int | float):
                assert getattr(getattr(settings, section), key) == value
    for account in settings.accounts.values():
        for one in account.apps:
            secret = one.credentials().client_secret.reveal()
            assert secret == "demo-secret" if case == "simulator" else secret.startswith(SECRET)


@pytest.mark.parametrize("case", PODS)
def test_no_config_map_holds_a_secret(matrix: dict[str, Rendered], case: str) -> None:
    for found in matrix[case].every("ConfigMap"):
        for text in found["data"].values():
            assert "demo-secret" not in text
            assert not re.search(r"(?i)(secret|password|_key):", text)


@pytest.mark.parametrize("case", PODS)
def test_no_secret_is_made(matrix: dict[str, Rendered], case: str) -> None:
    """A chart that makes them has them in its values, and in the release's history."""
    assert not matrix[case].every("Secret")


def containers(rendered: Rendered) -> Iterator[tuple[Document, Document]]:
    """Ours: each with its pod."""
    pods = [one["spec"]["template"]["spec"] for one in rendered.every("Deployment")]
    for pod in (*pods, *(hook["spec"] for hook in rendered.hooks)):
        for container in (*pod.get("initContainers", []), *pod["containers"]):
            if "zoom-gateway" in container["image"]:
                yield pod, container


@pytest.mark.parametrize("case", [one for one in PODS if one != "sidecar"])
def test_our_containers_are_restricted(matrix: dict[str, Rendered], case: str) -> None:
    found = list(containers(matrix[case]))
    assert found
    for pod, container in found:
        context = container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == context["runAsGroup"] == 65532
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["resources"]["limits"]["memory"]
        if case != "app":  # whose pod is somebody else's
            assert pod["automountServiceAccountToken"] is False
            assert pod["enableServiceLinks"] is False
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            assert key not in pod


def test_lint_has_nothing_but_a_hint(helm: Helm) -> None:
    """That there is no icon; its severity is 1. A warning's is 2, an error's 3."""
    found = helm.lint()
    assert found["TotalChartsLinted"] == 1
    assert not found["Errors"]
    assert all(message["Severity"] < 2 for message in found["Messages"])
