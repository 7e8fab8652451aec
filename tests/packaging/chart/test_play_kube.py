"""The rendered pods, really run: podman plays them with the image built from this clone.

What podman 4.3 makes of a manifest otherwise than Kubernetes is changed here, and nothing else:

- it turns a probe into a `curl` inside the container, to port 0 if the port has a name: probes are
  taken away, and their paths asked from outside;
- it publishes each container's port on all of the host's addresses: each gets a free one of
  loopback;
- it takes what a Secret's `data` holds as it stands, not as base64, under the Secret's own keys,
  not under the paths of `items`, and cannot use one Secret for files and variables: the Secret has
  the keys that are the paths, and the ids are values;
- it knows no Services: the test pod gets their names as aliases of the gateway pod's address;
- it knows no native sidecars: it would wait for the init container's end. Those are not run.
"""

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
import yaml

from tests.stores.certificates import Authority
from tests.support import images
from tests.support.helm import NAME, NAMESPACE, Document, Helm, Rendered, Values
from tests.support.processes import DEADLINE
from tests.support.redis_server import free_port

# The first builds the image.
pytestmark = pytest.mark.timeout(300)

T = TypeVar("T")

SIMULATOR = "http://127.0.0.1:8081"


@pytest.fixture(scope="module")
def image() -> Values:
    """The image's place in the values; it is there, and nowhere else."""
    repository, _, tag = images.gateway_image().rpartition(":")
    return {"image": {"repository": repository, "tag": tag, "pullPolicy": "Never"}}


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Pods, volumes and the Secret have the same names in every test."""
    place = images.STATE / "locks"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "pods").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def eventually(look: Callable[[], T], good: Callable[[T], bool], what: str) -> T:
    end = time.monotonic() + 2 * DEADLINE
    while not good(found := look()):
        assert time.monotonic() < end, f"{what}: {found}"
        time.sleep(0.1)
    return found


def get(url: str) -> tuple[int, str]:
    """The status and the text of an answer; 0 if there is none."""
    try:
        with urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except (URLError, OSError):
        return 0, ""


class Pod:
    """A pod of the Deployment, reached through ports of loopback."""

    def __init__(self, rendered: Rendered, directory: Path) -> None:
        self._documents = [rendered.one("ConfigMap", NAME), rendered.one("Deployment")]
        self._file = directory / "pod.yaml"
        self._ports = {"http": free_port(), "admin": free_port()}
        self.proxy, self.admin = (f"http://127.0.0.1:{port}" for port in self._ports.values())
        self.name = f"{NAME}-pod-0"

    @contextmanager
    def running(self) -> Iterator["Pod"]:
        documents = json.loads(json.dumps(self._documents))
        for container in documents[1]["spec"]["template"]["spec"]["containers"]:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                container.pop(probe, None)
            for port in container.get("ports", []):
                port |= {"hostIP": "127.0.0.1", "hostPort": self._ports[port["name"]]}
        with played(self._file, self.name, *documents):
            yield self

    def ready(self) -> "Pod":
        try:
            eventually(
                lambda: get(f"{self.admin}/readyz"), lambda found: found[0] == 200, "not ready"
            )
        except AssertionError as problem:
            problem.add_note(images.podman("ps", "--all", check=False))
            problem.add_note(images.podman("logs", f"{self.name}-zoom-gateway", check=False))
            raise
        return self

    def address(self) -> str:
        """Of the pod in podman's network."""
        found = json.loads(images.podman("pod", "inspect", self.name))
        infra = (found[0] if isinstance(found, list) else found)["InfraContainerID"]
        networks: Document = images.inspect("container", infra)["NetworkSettings"]  # type: ignore[assignment]  # JSON
        (network,) = networks["Networks"].values()
        return str(network["IPAddress"])


@contextmanager
def played(file: Path, pod: str, *documents: Document, check: bool = True) -> Iterator[None]:
    """The documents' pod, ended at once, and the volumes that are made for what it mounts."""
    file.write_text(yaml.safe_dump_all(documents))
    try:
        images.podman("play", "kube", str(file), check=check)
        yield
    finally:
        images.podman("pod", "rm", "--force", "--time=0", pod, check=False)
        # They would stay, with what they hold, and the next pod's have the same names.
        for volume in volumes(documents[-1]["spec"]):
            images.podman("volume", "rm", volume, check=False)


def volumes(spec: Document) -> Iterator[str]:
    """What podman calls them."""
    for one in spec.get("template", {"spec": spec})["spec"].get("volumes", []):
        source = one.get("secret", {}).get("secretName") or one.get("configMap", {}).get("name")
        yield source or one["name"]


@contextmanager
def secret(name: str, directory: Path, **data: str) -> Iterator[None]:
    """A Secret as podman 4.3 reads it."""
    file = directory / f"{name}.yaml"
    keys = {key.replace("_", "-"): value for key, value in data.items()}
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": keys}
    file.write_text(yaml.safe_dump(document))
    images.podman("secret", "rm", name, check=False)
    images.podman("secret", "create", name, str(file))
    try:
        yield
    finally:
        images.podman("secret", "rm", name, check=False)


def test_it_answers_a_call_and_passes_its_own_test(
    helm: Helm, image: Values, tmp_path: Path
) -> None:
    rendered = helm.render({**image, "simulator": {"enabled": True}})
    with Pod(rendered, tmp_path).running() as pod:
        pod.ready()
        status, users = get(f"{pod.proxy}/v2/users?page_size=1")
        assert status == 200
        assert len(json.loads(users)["users"]) == 1
        assert get(f"{pod.admin}/livez")[0] == 200
        gateway = images.inspect("container", f"{pod.name}-zoom-gateway")
        assert gateway["HostConfig"]["ReadonlyRootfs"] is True  # type: ignore[index]  # JSON
        assert not gateway["EffectiveCaps"]
        # The commands of the notes.
        shown = images.podman("exec", f"{pod.name}-zoom-gateway", "zoom-gateway", "status")
        assert "account default: ok" in shown
        assert helm_test(rendered, pod, tmp_path) == 0


def test_its_own_test_fails_without_a_gateway(helm: Helm, image: Values, tmp_path: Path) -> None:
    """A gateway that Zoom gives no token is not ready."""
    rendered = helm.render(
        {
            **image,
            "credentials": {
                "existingSecret": "zoom",
                "accountId": "demo-account",
                "clientId": "demo-client",
            },
            "config": {"upstream": {"api_url": SIMULATOR, "token_url": f"{SIMULATOR}/oauth/token"}},
        }
    )
    with (
        secret("zoom", tmp_path, client_secret="demo-secret"),
        Pod(rendered, tmp_path).running() as pod,
    ):
        eventually(lambda: get(f"{pod.admin}/readyz"), lambda found: found[0] == 503, "not unready")
        assert helm_test(rendered, pod, tmp_path) != 0


def test_a_mounted_secret_is_read(helm: Helm, image: Values, tmp_path: Path) -> None:
    name = image["image"]
    rendered = helm.render(
        {
            **image,
            "credentials": {
                "existingSecret": "zoom",
                "accountId": "demo-account",
                "clientId": "demo-client",
            },
            "config": {"upstream": {"api_url": SIMULATOR, "token_url": f"{SIMULATOR}/oauth/token"}},
            "workers": 2,
            # A simulator that the chart knows nothing of.
            "extraContainers": [
                {
                    "name": "zoom",
                    "image": f"{name['repository']}:{name['tag']}",
                    "args": ["simulate"],
                }
            ],
        }
    )
    with (
        secret("zoom", tmp_path, client_secret="demo-secret"),
        Pod(rendered, tmp_path).running() as pod,
    ):
        pod.ready()
        assert get(f"{pod.proxy}/v2/users/me")[0] == 200


def test_it_speaks_tls_and_wants_client_certificates(
    helm: Helm, image: Values, tmp_path: Path
) -> None:
    """Podman has no projected volumes: what `helm test` runs is run here, on the host."""
    authority = Authority(tmp_path)
    own, client = authority.issue(f"{NAME}.{NAMESPACE}.svc"), authority.issue("caller")
    rendered = helm.render(
        {
            **image,
            "simulator": {"enabled": True},
            "tls": {"existingSecret": "tls", "clientCA": {"existingSecret": "client-ca"}},
        }
    )
    script, _, *more = rendered.hooks[0]["spec"]["containers"][0]["args"]
    files = tmp_path / "mounted"
    files.mkdir()
    copy(authority.file, files / "ca.crt")
    pem = {"certificate.pem": own.certificate.read_text(), "key.pem": own.key.read_text()}
    with (
        secret("tls", tmp_path, **pem),
        secret("client-ca", tmp_path, **{"ca.pem": authority.file.read_text()}),
        Pod(rendered, tmp_path).running() as pod,
    ):
        pod.ready()
        url = f"https{pod.proxy.removeprefix('http')}/v2/users?page_size=1"
        command = [sys.executable, "-c", script, url, *more[:-1], str(files)]
        without = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (without.returncode, "takes no call without one" in without.stdout) == (0, True)
        copy(client.certificate, files / "tls.crt")
        copy(client.key, files / "tls.key")
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (shown.returncode, "200, by Zoom" in shown.stdout) == (0, True)
        # Nobody gets in without TLS.
        assert get(f"{pod.proxy}/v2/users")[0] != 200


def helm_test(rendered: Rendered, pod: Pod, directory: Path) -> int:
    """Run what `helm test` runs; the exit code of the container that failed, or 0."""
    (hook,) = json.loads(json.dumps(rendered.hooks))
    names = [one["metadata"]["name"] for one in rendered.every("Service")]
    hook["spec"]["hostAliases"] = [{"ip": pod.address(), "hostnames": names}]
    name = hook["metadata"]["name"]
    with played(directory / "test.yaml", name, hook, check=False):
        # Podman removes an init container that ended well.
        ready = images.podman("ps", "--all", "--quiet", "--filter", f"name={name}-ready")
        return exit_code(f"{name}-ready" if ready else f"{name}-call")


def exit_code(container: str) -> int:
    def look() -> Any:
        return images.inspect("container", container)["State"]

    ended = eventually(
        look, lambda state: state["Status"] in {"exited", "stopped"}, f"{container} does not end"
    )
    return int(ended["ExitCode"])
