"""The gateway in the pods of another chart, and the manifest to copy from."""

from pathlib import Path

import pytest

from tests.support.helm import Helm, RefusedError, Rendered

Matrix = dict[str, Rendered]
BOTH = pytest.mark.parametrize("case", ["app", "plain"])


@BOTH
def test_it_is_a_native_sidecar(matrix: Matrix, case: str) -> None:
    found = matrix[case]
    assert found.gateway in found.pod["initContainers"]
    assert found.gateway["restartPolicy"] == "Always"
    probe = found.gateway["startupProbe"]
    assert probe["httpGet"] == {"path": "/livez", "port": "zoom-admin"}
    # The application decides itself what it can do without Zoom.
    assert "readinessProbe" not in found.gateway


@BOTH
def test_only_its_pod_reaches_the_proxy(matrix: Matrix, case: str) -> None:
    found = matrix[case]
    assert found.config["listen"] == {"host": "127.0.0.1", "port": 8080}
    assert found.config["admin"] == {"host": "0.0.0.0", "port": 9090}
    assert [port["containerPort"] for port in found.gateway["ports"]] == [9090]
    names = {one["name"] for one in found.gateway.get("env", [])}
    # The environment would beat the file.
    assert not {name for name in names if name.startswith("ZOOM_GATEWAY_")}


@BOTH
def test_pods_share_tokens_through_redis(matrix: Matrix, case: str) -> None:
    found = matrix[case]
    assert found.one("Deployment")["spec"]["replicas"] > 1
    assert found.config["store"]["url"].startswith("redis://")
    assert found.config["store"]["password_file"].endswith("/store/password")


@BOTH
def test_its_files_are_readable_whatever_the_pod_says(matrix: Matrix, case: str) -> None:
    """Another chart's pod may have no fsGroup; the gateway's user is not root."""
    found = matrix[case]
    secrets = [one["secret"] for one in found.pod["volumes"] if "secret" in one]
    assert len(secrets) == 2
    assert {one["defaultMode"] for one in secrets} == {0o444}
    others = [one for one in found.pod["containers"] if one is not found.gateway]
    assert all("zoom" not in str(one.get("volumeMounts", "")) for one in others)


@BOTH
def test_it_ends_soon_after_the_application(matrix: Matrix, case: str) -> None:
    assert matrix[case].config["drain"] == {"delay": 0, "timeout": 5}


def test_the_template_and_the_manifest_say_the_same(matrix: Matrix) -> None:
    app, plain = matrix["app"].gateway, matrix["plain"].gateway
    assert plain["args"] == app["args"]
    assert plain["image"] == app["image"]
    assert plain["resources"] == app["resources"]
    assert plain["securityContext"].items() <= app["securityContext"].items()
    assert plain["env"] == app["env"]


def test_only_the_configuration_is_made_for_it(matrix: Matrix) -> None:
    kinds = {one["kind"] for one in matrix["app"].documents}
    assert kinds == {"ConfigMap", "Deployment"}
    mounted = [
        one["configMap"]["name"] for one in matrix["app"].pod["volumes"] if "configMap" in one
    ]
    assert mounted == [matrix["app"].one("ConfigMap")["metadata"]["name"]]
    assert not matrix["app"].hooks


def test_a_changed_configuration_makes_new_pods(helm: Helm, app: Path, matrix: Matrix) -> None:
    changed = helm.render({"zoom-gateway": {"config": {"log": {"level": "debug"}}}}, app)

    def checksum(rendered: Rendered) -> object:
        template = rendered.one("Deployment")["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/zoom-gateway"]

    assert checksum(changed) != checksum(matrix["app"])


def test_the_template_refuses_the_other_mode(helm: Helm, app: Path) -> None:
    with pytest.raises(RefusedError, match="needs mode: sidecar"):
        helm.render({"zoom-gateway": {"mode": "service"}}, app)
