"""Clients with Zoom's hosts in their code, from the package indexes, as they are.

They live in a network whose hosts file sends Zoom's names to the gateway, and the gateway lives
there, too: where Zoom is it learns from a name server. What is at Zoom's address there is a
simulator, under a certificate that the clients do not know.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_reload import MAIN, account
from tests.stores.certificates import Authority
from tests.support.needed import program, unavailable
from tests.support.own_network import OwnNetwork, own_network
from tests.support.processes import CLONE, ROOT, Process, environment, eventually

CACHE = ROOT / ".cache" / "clients"
CLIENTS = Path(__file__).parent / "clients"

GATEWAY, ZOOM = "10.99.0.1", "10.99.0.2"
NAMES = ("api.zoom.us", "zoom.us")
SIMULATOR = "http://127.0.0.1:8081"


@dataclass
class World:
    network: OwnNetwork
    gate: Process
    ca: Path
    """The operator's, that the clients trust."""

    async def control(self, verb: str, method: str = "POST", **body: Any) -> Any:
        told = ("-X", method, "-H", "Content-Type: application/json", "-d", json.dumps(body))
        code, out, err = await self.network.run(
            program("curl"), "-sS", *told, f"{SIMULATOR}/_sim/{verb}"
        )
        assert code == 0, err
        return json.loads(out)


def configuration(directory: Path, authority: Authority, **upstream: Any) -> Path:
    private = Authority(directory / "private")
    own = private.issue(*NAMES, "us02web.zoom.us")
    file = directory / "gateway.yaml"
    content = {
        "listen": {"host": GATEWAY, "port": 443},
        "admin": {"port": 9090},
        "tls": {"certificate_file": str(own.certificate), "key_file": str(own.key)},
        "upstream": {"ca_file": str(authority.file), **upstream},
        "accounts": {"default": account(MAIN)},
        "drain": {"delay": 0},
    }
    file.write_text(json.dumps(content))
    return file


async def started(network: OwnNetwork, file: Path) -> Process:
    return await Process.start(
        "serve", "--config", str(file), env=environment(), program=(*network.inside, *CLONE)
    )


@contextlib.asynccontextmanager
async def network(directory: Path) -> AsyncIterator[tuple[OwnNetwork, Authority]]:
    for part in ("private", "zoom"):
        (directory / part).mkdir()
    hosts = directory / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{GATEWAY} {' '.join(NAMES)} us02web.zoom.us\n")
    authority = Authority(directory / "zoom")
    zooms = authority.issue(*NAMES)
    async with own_network(hosts, (GATEWAY, ZOOM)) as own, contextlib.AsyncExitStack() as stack:
        sim = await Process.start(
            "simulate", "--port", "8081", env=environment(), program=(*own.inside, *CLONE)
        )
        stack.push_async_callback(sim.kill)
        await sim.wait_for_line("http://")
        behind = await Process.start(
            *(str(zooms.certificate), str(zooms.key), ZOOM, "8081", *NAMES),
            env=environment(),
            program=(*own.inside, CLONE[0], "-m", "tests.support.zoom_behind"),
        )
        stack.push_async_callback(behind.kill)
        await behind.wait_for_line("ready")
        yield own, authority


@contextlib.asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    async with network(directory) as (own, authority):
        gate = await started(own, configuration(directory, authority, nameservers=[ZOOM]))
        try:
            await eventually(lambda: gate.logged("token_minted"), f"a token:\n{gate.output}")
            yield World(own, gate, directory / "private" / "ca.pem")
        finally:
            await gate.kill()


def installed(path: str) -> str:
    found = CACHE / path
    if not found.exists():
        unavailable(f"{path} is not installed: make client-deps")
    return str(found)


async def test_tap_zoom_from_the_package_index(tmp_path: Path) -> None:
    tap = installed("venv/bin/tap-zoom")
    config = tmp_path / "tap.json"
    config.write_text(
        json.dumps({"client_id": "any", "client_secret": "any", "refresh_token": "any"})
    )
    async with world(tmp_path) as at:
        trust = {"REQUESTS_CA_BUNDLE": str(at.ca)}
        # It asks for pages of 1,000, of which Zoom makes less by itself.
        await at.control("config", max_page_size=1000)
        code, out, err = await at.network.run(tap, "--config", str(config), "--discover", env=trust)
        assert code == 0, err
        catalog = json.loads(out)
        for stream in catalog["streams"]:
            if stream["tap_stream_id"] == "users":
                (whole,) = [one for one in stream["metadata"] if not one["breadcrumb"]]
                whole["metadata"]["selected"] = True
        chosen = tmp_path / "catalog.json"
        chosen.write_text(json.dumps(catalog))
        await at.control("kill")  # of which the tap is to notice nothing
        code, out, err = await at.network.run(
            tap, "--config", str(config), "--catalog", str(chosen), env=trust
        )
        assert code == 0, err
        records = [json.loads(line) for line in out.splitlines() if '"RECORD"' in line]
        assert [one["record"]["id"] for one in records] == [f"user-{n:04}" for n in range(35)]
        assert {one["stream"] for one in records} == {"users"}
        assert json.loads(config.read_text())["access_token"] == "zoom-gateway"
        assert (await at.control("state", "GET"))["mints"]["total"] == 2


async def test_zoomapi_from_npm(tmp_path: Path) -> None:
    installed("node/node_modules/zoomapi")
    async with world(tmp_path) as at:
        for _ in range(2):
            code, out, err = await at.network.run(
                program("node"),
                str(CLIENTS / "zoomapi_calls.js"),
                str(CACHE),
                env={"NODE_EXTRA_CA_CERTS": str(at.ca)},
            )
            assert code == 0, err
            assert json.loads(out)["topic"] == "from zoomapi"
            await at.control("kill")
        state = await at.control("state", "GET")
        assert state["mints"]["total"] == 2
        assert not state["violations"]


async def test_who_does_not_know_the_private_ca_is_refused_by_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        url = "https://api.zoom.us/v2/users/me"
        code, _, err = await at.network.run(program("curl"), "-sS", url)
        assert (code, "certificate" in err) == (60, True)
        code, out, err = await at.network.run(program("curl"), "-sS", "--cacert", str(at.ca), url)
        assert (code, "id" in json.loads(out)) == (0, True), err


@pytest.mark.parametrize("addresses", [{}, dict.fromkeys(NAMES, ZOOM)], ids=["hosts", "pinned"])
async def test_the_hosts_file_holds_for_the_gateway_too(
    tmp_path: Path, addresses: dict[str, str]
) -> None:
    """It would call itself, and says so; an address of Zoom's goes round it."""
    async with network(tmp_path) as (own, authority):
        gate = await started(own, configuration(tmp_path, authority, addresses=addresses))
        try:
            if addresses:
                await eventually(lambda: gate.logged("token_minted"), f"a token:\n{gate.output}")
                return
            assert await gate.ended() == 2
        finally:
            await gate.kill()
    for key, name in (("api_url", "api.zoom.us"), ("token_url", "zoom.us")):
        assert f"upstream.{key}: {name} stands for {GATEWAY} here, where" in gate.output
