"""Pods get a variable for each address of each Service beside them; some look like ours."""

from pathlib import Path

import pytest

from tests.settings.test_settings_environment import service_variables
from tests.support.balancers import free_ports
from tests.support.load import session
from tests.support.processes import (
    Gateway,
    Process,
    credentials,
    environment,
    gateway,
    simulator,
)

SERVICES = (
    "ZOOM_GATEWAY",
    "ZOOM_GATEWAY_ADMIN",
    "ZOOM_GATEWAY_LISTEN",
    "ZOOM_GATEWAY_STORE",
    "ZOOM_GATEWAY_CONFIG",
    "ZOOM_GATEWAY_WORKER",
    # Of names with two dashes in a row.
    "ZOOM_GATEWAY__CANARY",
    "ZOOM_GATEWAY_LISTEN__PORT",
)
INJECTED = {
    name: value for service in SERVICES for name, value in service_variables(service).items()
}


async def works(gate: Gateway) -> None:
    async with session() as client:
        async with client.get(f"{gate.url}/v2/users/me") as answer:
            assert answer.status == 200
        async with client.get(f"{gate.admin}/readyz") as answer:
            assert answer.status == 200
    assert "10.0.0.1" not in gate.output


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])
async def test_serve_listens_where_it_is_told(tmp_path: Path, workers: tuple[str, ...]) -> None:
    file = tmp_path / "gateway.yaml"
    async with simulator() as sim:
        async with gateway(sim, *workers, **INJECTED) as gate:
            await works(gate)
        ports = tuple(free_ports(2))
        file.write_text(f"listen: {{port: {ports[0]}}}\nadmin: {{port: {ports[1]}}}\n")
        known = {
            name: value for name, value in credentials(sim).items() if not name.endswith("__PORT")
        }
        env = environment(**known, **INJECTED)
        child = await Gateway.start("serve", "--config", str(file), *workers, env=env)
        assert isinstance(child, Gateway)
        try:
            await works(await child.listening())
            assert (port_of(child.url), port_of(child.admin)) == ports
        finally:
            await child.kill()


async def test_the_other_commands_take_no_notice() -> None:
    async with simulator() as sim, gateway(sim, **INJECTED) as gate:
        env = environment(**credentials(sim), **INJECTED)
        for words in (("check", "--mint"), ("status", "--url", gate.admin)):
            child = await Process.start(*words, env=env)
            assert await child.ended() == 0, child.output
        ports = ("--port", "0", "--admin-port", "0", "--sim-port", "0")
        demo = await Process.start("demo", *ports, env=environment(**INJECTED))
        try:
            await demo.wait_for_line("Ctrl-C ends it.")
        finally:
            await demo.kill()
