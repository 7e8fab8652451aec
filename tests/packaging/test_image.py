"""The image, built from the Dockerfile as it is, and run as an operator would."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support import images
from tests.support.containers import Container, container
from tests.support.load import control, metric, session
from tests.support.processes import ROOT

pytestmark = pytest.mark.timeout(600)

LOCKED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
"""Takes away all that a container may do beyond what it must; podman leaves it a /tmp."""

NO_TMP = "--read-only-tmpfs=false"

PORTS = ("--publish=127.0.0.1::8080", "--publish=127.0.0.1::9090", "--publish=127.0.0.1::8081")

MIB = 1 << 20
SECRET = "canary-9f2c61"

SETTINGS = {
    "ZOOM_ACCOUNT_ID": "demo-account",
    "ZOOM_CLIENT_ID": "demo-client",
    "ZOOM_CLIENT_SECRET": "demo-secret",
    "ZOOM_GATEWAY_UPSTREAM__API_URL": "http://127.0.0.1:8081",
    "ZOOM_GATEWAY_UPSTREAM__TOKEN_URL": "http://127.0.0.1:8081/oauth/token",
    "ZOOM_GATEWAY_DRAIN__DELAY": "0",
}


@pytest.fixture(scope="module")
def image() -> str:
    return images.gateway_image()


class Zoom:
    """A simulator in a container; gateways share its network, so that it is on their loopback."""

    def __init__(self, image: str, box: Container) -> None:
        self.image = image
        self.box = box
        self.sim = self.proxy = self.admin = ""

    @asynccontextmanager
    async def gateway(self, *options: str, **settings: str) -> AsyncIterator[Container]:
        environ = {**SETTINGS, **settings}
        given = (f"--env={name}={text}" for name, text in environ.items() if text)
        network = f"--network=container:{self.box.name}"
        async with container(*LOCKED, network, *given, *options, self.image) as box:
            await box.wait_for_line('"event":"started"')
            yield box


@pytest.fixture
async def zoom(image: str) -> AsyncIterator[Zoom]:
    command = ("simulate", "--host=0.0.0.0")
    async with container(*LOCKED, NO_TMP, *PORTS, image, *command) as box:
        await box.wait_for_line("http://127.0.0.1:8081")
        zoom = Zoom(image, box)
        zoom.proxy, zoom.admin, zoom.sim = await published(box)
        yield zoom


async def published(box: Container) -> list[str]:
    """The URLs of proxy, admin listener and simulator, from outside."""
    return [f"http://{await box.published(port)}" for port in (8080, 9090, 8081)]


async def upload(client: aiohttp.ClientSession, proxy: str, size: int) -> int:
    url = f"{proxy}/v2/_sim/upload"
    async with client.post(url, data=io.BytesIO(bytes(size))) as answer:
        await answer.read()
        return answer.status


async def test_the_demo_works_from_outside(image: str) -> None:
    async with container(*LOCKED, *PORTS, image, "demo") as box, session() as client:
        await box.wait_for_line("The gateway listens on http://127.0.0.1:8080")
        proxy, admin, sim = await published(box)
        for _ in range(2):
            async with client.get(f"{proxy}/v2/users") as answer:
                assert answer.status == 200
                assert (await answer.json())["users"]
            await control(client, sim, "kill")
        replays = await metric(client, admin, "zoom_gateway_replays_total")
        assert replays['{account="default",outcome="recovered"}'] == 1
        code, text = await box.run("zoom-gateway", "check", "--help")
        assert code == 0, text


async def test_without_a_place_to_write_it_works_and_warns_once(zoom: Zoom) -> None:
    async with zoom.gateway(NO_TMP) as box, session() as client:
        assert await upload(client, zoom.proxy, 2 * MIB) == 200
        for size, status in ((MIB // 2, 200), (2 * MIB, 401), (3 * MIB, 200)):
            if status != 200 or size < MIB:
                await control(client, zoom.sim, "faults", {"refuse_next": 1}, "PUT")
            assert await upload(client, zoom.proxy, size) == status
        (line,) = box.logged("no_replay_directory")
        assert line["level"] == "warning"
        assert not box.logged("body_not_kept")
        assert not box.logged("defect")


async def test_with_a_tmpfs_large_bodies_are_sent_again(zoom: Zoom) -> None:
    async with zoom.gateway(NO_TMP, "--tmpfs=/tmp:mode=1777") as box, session() as client:
        await control(client, zoom.sim, "faults", {"refuse_next": 1}, "PUT")
        assert await upload(client, zoom.proxy, 2 * MIB) == 200
        assert not box.logged("no_replay_directory")


async def test_workers_share_memory_where_nothing_else_can_be_written(image: str) -> None:
    """Their directory is on /dev/shm; without it the program says where it looked."""
    given = [f"--env={name}={text}" for name, text in SETTINGS.items()]
    bare = (*LOCKED, NO_TMP, *given)
    async with container(*bare, image, "serve", "--workers=2") as box:
        await box.wait_for_line('"event":"started"')
    without = ("--mount=type=bind,source=/proc,destination=/dev/shm,ro", *bare)
    async with container(*without, image, "serve", "--workers=2") as box:
        assert await box.ended() == 1
        assert "no directory for what the workers share: /dev/shm: " in box.output
        assert "/tmp: Read-only file system. Set XDG_RUNTIME_DIR or TMPDIR" in box.output
        assert "Traceback" not in box.output


async def test_a_call_in_flight_is_finished_when_it_is_told_to_stop(zoom: Zoom) -> None:
    async with zoom.gateway() as box, session() as client:

        async def body() -> AsyncIterator[bytes]:
            yield b"begun"
            await asyncio.to_thread(images.podman, "kill", "--signal=TERM", box.name)
            await box.wait_for_line('"event":"draining"')
            yield b", ended"

        async with client.post(f"{zoom.proxy}/v2/_sim/upload", data=body()) as answer:
            assert answer.status == 200
            assert (await answer.json())["size"] == len(b"begun, ended")
        assert await box.ended() == 0
        assert box.logged("stopped")[0]["inflight"] == 0


async def test_the_health_check_follows_readiness_not_the_degraded(zoom: Zoom) -> None:
    async with zoom.gateway(ZOOM_GATEWAY_ADMIN__PORT="9191") as box:
        await box.eventually_healthy()
        async with session() as client:
            async with client.get(f"{zoom.proxy}/v2/users") as answer:
                assert answer.status == 200
            await control(client, zoom.sim, "mint", {"app": "demo-client", "index": 0})
            async with client.get(f"{zoom.proxy}/v2/users") as answer:
                assert answer.status == 200
        code, text = await box.run("zoom-gateway", "status")
        assert code == 1, text
        assert "degraded" in text
        assert await box.healthy()


async def test_a_gateway_that_never_had_a_token_is_not_healthy(zoom: Zoom) -> None:
    async with zoom.gateway(ZOOM_CLIENT_SECRET="wrong") as box:
        await box.wait_for_line('"event":"mint_failed"')
        assert not await box.healthy()
        code, text = await box.run("zoom-gateway", "status", "--ready")
        assert code == 1
        assert text.startswith("not ready\n")


async def test_secrets_in_files_show_nowhere(zoom: Zoom, tmp_path: Path) -> None:
    secret, config = tmp_path / "client_secret", tmp_path / "gateway.yaml"
    secret.write_text(f"{SECRET}\n")
    config.write_text(CONFIG)
    mounts = (
        f"--volume={secret}:/run/secrets/client_secret:ro",
        f"--volume={config}:/etc/zoom-gateway/gateway.yaml:ro",
    )
    async with session() as client:
        rotated = {"app": "demo-client", "client_secret": SECRET}
        await control(client, zoom.sim, "rotate-secret", rotated)
        names = dict.fromkeys(SETTINGS, "")
        async with zoom.gateway(*mounts, **names) as box:
            await box.eventually_healthy()
            async with client.get(f"{zoom.proxy}/v2/users") as answer:
                assert answer.status == 200
            shown = images.podman("container", "inspect", box.name)
            code, status = await box.run("zoom-gateway", "status", "--json")
            assert code == 0
            assert SECRET not in shown + status + box.output


CONFIG = """
listen: {host: 0.0.0.0}
admin: {host: 0.0.0.0}
upstream: {api_url: "http://127.0.0.1:8081", token_url: "http://127.0.0.1:8081/oauth/token"}
accounts:
  default:
    account_id: demo-account
    apps:
      - {client_id: demo-client, client_secret_file: /run/secrets/client_secret}
drain: {delay: 0}
"""


async def test_it_has_no_rights_and_needs_none(zoom: Zoom) -> None:
    look = """
import json, os
lines = open("/proc/1/status").read().splitlines()
print(json.dumps({
    "status": dict(line.split(":", 1) for line in lines),
    "writable": [path for path in ("/", "/etc", "/opt/zoom-gateway", "/tmp", "/etc/zoom-gateway")
                 if os.access(path, os.W_OK)],
}))
"""
    async with zoom.gateway(NO_TMP) as box:
        code, text = await box.run("python", "-c", look)
    assert code == 0, text
    found = json.loads(text)
    process = {name: text.split() for name, text in found["status"].items()}
    assert process["Uid"] == process["Gid"] == ["65532"] * 4
    assert process["Groups"] == ["65532"]
    assert process["NoNewPrivs"] == ["1"]
    assert {int(process[name][0], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {0}
    assert found["writable"] == []


def shown(image: str) -> dict[str, Any]:
    found = images.inspect("image", image)
    config = found["Config"]
    assert isinstance(config, dict)
    return {**config, "Healthcheck": found.get("HealthCheck") or found.get("Healthcheck")}


def test_what_it_says_of_itself(image: str) -> None:
    config = shown(image)
    labels = {
        name.removeprefix("org.opencontainers.image."): text
        for name, text in config["Labels"].items()
    }
    assert labels["title"] == "zoom-gateway"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] == images.version()
    assert labels["revision"] == images.REVISION
    assert labels["description"] in (ROOT / "pyproject.toml").read_text()
    assert config["User"] == "65532:65532"
    assert set(config["ExposedPorts"]) == {"8080/tcp", "9090/tcp"}
    assert config["Entrypoint"] == ["zoom-gateway"]
    assert config["Cmd"] == ["serve"]
    assert config["Healthcheck"]["Test"] == ["CMD", "zoom-gateway", "status", "--ready"]


def test_nothing_of_the_building_is_left_in_it(image: str) -> None:
    look = (
        "import glob, json, os, sys; from importlib.util import find_spec; "
        "site = os.path.dirname(find_spec('gateway').submodule_search_locations[0]); "
        "print(json.dumps({'tools': [one for one in ('hatchling', 'pip', 'setuptools', 'pytest') "
        "if find_spec(one)], 'left': [path for path in ('/src', '/tools', "
        "os.path.expanduser('~root/.cache'), "
        "'/etc/pip.conf', '/imported') if os.path.exists(path)], 'gateway': sorted("
        "os.path.relpath(path, site) for path in glob.glob(site + '/gateway/**', recursive=True) "
        "if os.path.isfile(path) and '__pycache__' not in path)}))"
    )
    found = json.loads(once(image, look))
    assert found["tools"] == found["left"] == []
    here = [path for path in (ROOT / "gateway").rglob("*") if path.is_file()]
    ours = sorted(str(path.relative_to(ROOT)) for path in here if path.suffix != ".pyc")
    assert found["gateway"] == ours
    history = images.podman("history", "--no-trunc", "--format={{.CreatedBy}}", image)
    assert "SECRET" not in history
    assert "://" not in history


def test_its_bytecode_is_made_already(image: str) -> None:
    look = (
        "import json, os, sys, gateway.cli.running, gateway.cli.status, gateway.stores.redis; "
        "specs = [one.__spec__ for one in sys.modules.values() if getattr(one, '__spec__', None)]; "
        "cached = [one.cached for one in specs if one.cached]; "
        "print(json.dumps([len(cached), [one for one in cached if not os.path.exists(one)]]))"
    )
    count, missing = json.loads(once(image, look))
    assert count > 300
    assert missing == []


def once(image: str, program: str) -> str:
    return images.podman(
        *("run", "--rm", "--network=none", "--read-only", "--no-healthcheck"),
        *("--entrypoint=python", image, "-c", program),
    )


def test_it_is_small(image: str) -> None:
    size = images.inspect("image", image)["Size"]
    base = images.inspect("image", images.base_image())["Size"]
    assert isinstance(size, int)
    assert isinstance(base, int)
    assert size - base < 85_000_000


def test_every_library_in_it_can_be_loaded(image: str) -> None:
    look = (
        "import ctypes, pathlib; "
        "paths = [*pathlib.Path('/opt/zoom-gateway/lib').rglob('*.so*')]; "
        "[ctypes.CDLL(str(path)) for path in paths]; print(len(paths))"
    )
    assert int(once(image, look)) > 20
