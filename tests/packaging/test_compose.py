"""compose.yaml: what it says agrees with the gateway, and what it describes works."""

import io

import pytest

from gateway.settings import load
from gateway.settings.model import DrainSettings
from tests.support import compose, images
from tests.support.load import control, metric, session
from tests.support.processes import ROOT

SERVICES = compose.services()


def test_every_service_is_locked_down() -> None:
    assert set(SERVICES) == {"gateway", "simulator", "redis"}
    for service in SERVICES.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(one.startswith("127.0.0.1:") for one in service.get("ports", ()))


def test_it_gives_the_gateway_a_configuration_and_the_time_to_stop() -> None:
    gateway = SERVICES["gateway"]
    settings = load(ROOT / "config" / "image.yaml", gateway["environment"])
    published = {int(one.rpartition(":")[2]) for one in gateway["ports"]}
    assert {settings.listen.port, settings.admin.port} < published
    assert settings.store.url.startswith("redis://redis:")
    drain = DrainSettings()
    grace = gateway["stop_grace_period"]
    assert grace.endswith("s")
    assert float(grace.removesuffix("s")) >= drain.delay + drain.timeout + 1


@pytest.mark.xdist_group("image")
@pytest.mark.timeout(300)
async def test_what_it_describes_works() -> None:
    names = {"zoom-gateway": images.gateway_image(), "redis:7-alpine": images.redis_image()}
    async with compose.up(names) as running, session() as client:
        for box in running.values():
            await box.eventually_healthy()
        gateway = running["gateway"]
        proxy, admin, sim = [f"http://{await gateway.published(n)}" for n in (8080, 9090, 8081)]
        for _ in range(2):
            async with client.get(f"{proxy}/v2/users") as answer:
                assert answer.status == 200, gateway.output
            await control(client, sim, "kill")
        # Larger than memory holds: kept in the tmpfs, and sent again.
        body = io.BytesIO(bytes(3 << 20))
        async with client.post(f"{proxy}/v2/_sim/upload", data=body) as answer:
            assert answer.status == 200
        replays = await metric(client, admin, "zoom_gateway_replays_total")
        assert replays['{account="default",outcome="recovered"}'] == 2
        code, keys = await running["redis"].run("redis-cli", "keys", "*")
        assert code == 0
        assert "zoom-gateway:{default}" in keys
        for event in ("no_replay_directory", "store_down", "defect"):
            assert not gateway.logged(event)
        images.podman("kill", "--signal=TERM", gateway.name)
        assert await gateway.ended() == 0
