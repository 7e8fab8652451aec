"""A gateway's life as a process: start, stop, restart, and what it leaves behind."""

import asyncio
import json
import signal
import stat
from pathlib import Path

import aiohttp
import pytest

from tests.support.load import control, counted, session, state
from tests.support.processes import (
    DEADLINE,
    Gateway,
    credentials,
    environment,
    eventually,
    gateway,
    simulator,
)

DRAIN = {"ZOOM_GATEWAY_DRAIN__DELAY": "1.5", "ZOOM_GATEWAY_DRAIN__TIMEOUT": "10"}


async def status_of(client: aiohttp.ClientSession, url: str) -> int:
    async with client.get(url) as answer:
        await answer.read()
        return answer.status


async def test_it_is_ready_once_it_has_a_token() -> None:
    async with simulator() as sim, session() as client:
        await control(client, sim, "faults", {"mint_delay": 1.0}, "PUT")
        async with gateway(sim) as gate:
            assert await status_of(client, f"{gate.admin}/livez") == 200
            assert await status_of(client, f"{gate.admin}/readyz") == 503
            assert await status_of(client, f"{gate.url}/v2/users/me") == 200
            assert await status_of(client, f"{gate.admin}/readyz") == 200


async def test_sigterm_lets_calls_come_and_finish_and_keeps_the_token() -> None:
    async with simulator() as sim, gateway(sim, **DRAIN) as gate, session() as client:
        assert await status_of(client, f"{gate.url}/v2/users/me") == 200
        await control(client, sim, "faults", {"delay": 3.0}, "PUT")
        in_flight = asyncio.create_task(status_of(client, f"{gate.url}/v2/users/me"))
        await counted(client, sim, "calls", 2)
        gate.signal(signal.SIGTERM)
        await gate.wait_for_line('"event":"draining"')
        assert await status_of(client, f"{gate.admin}/readyz") == 503
        assert await status_of(client, f"{gate.admin}/livez") == 200
        # Still accepted, within drain.delay.
        late = asyncio.create_task(status_of(client, f"{gate.url}/v2/users/me"))
        assert await in_flight == 200
        assert await late == 200
        assert await gate.ended() == 0
        in_the_end = await state(client, sim)
    assert in_the_end["revokes"] == 0
    assert len(in_the_end["tokens"]) == 1


async def test_sigint_skips_the_delay() -> None:
    slow = {"ZOOM_GATEWAY_DRAIN__DELAY": "60"}
    async with simulator() as sim, gateway(sim, **slow) as gate:
        gate.signal(signal.SIGINT)
        assert await gate.ended(10) == 0


async def test_a_second_signal_ends_at_once() -> None:
    slow = {"ZOOM_GATEWAY_DRAIN__DELAY": "60"}
    async with simulator() as sim, gateway(sim, **slow) as gate:
        gate.signal(signal.SIGTERM)
        await gate.wait_for_line('"event":"draining"')
        gate.signal(signal.SIGTERM)
        assert await gate.ended(5) == 128 + signal.SIGTERM


async def test_a_call_that_outlasts_the_drain_is_cut() -> None:
    brief = {"ZOOM_GATEWAY_DRAIN__DELAY": "0", "ZOOM_GATEWAY_DRAIN__TIMEOUT": "0.5"}
    async with simulator() as sim, gateway(sim, **brief) as gate, session() as client:
        await control(client, sim, "faults", {"delay": 30.0}, "PUT")
        call = asyncio.create_task(status_of(client, f"{gate.url}/v2/users/me"))
        await counted(client, sim, "calls", 1)
        gate.signal(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientError):
            await call
        assert await gate.ended(10) == 0
    assert gate.logged("stopped")[0]["inflight"] == 1


async def test_a_token_in_the_file_store_survives_a_restart(tmp_path: Path) -> None:
    kept = {"ZOOM_GATEWAY_STORE__URL": f"file://{tmp_path}/tokens"}
    async with simulator() as sim, session() as client:
        for _ in range(2):
            async with gateway(sim, **kept) as gate:
                assert await status_of(client, f"{gate.url}/v2/users/me") == 200
                await eventually(lambda: list(tmp_path.glob("tokens/*.json")), "a token file")
                gate.signal(signal.SIGINT)
                await gate.ended()
        in_the_end = await state(client, sim)
    assert in_the_end["mints"]["total"] == 1
    file = tmp_path / "tokens" / "default.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", ["", "{", '{"format": 1}', "\x00\xff", "[]"])
async def test_a_corrupt_token_file_is_kept_and_a_new_token_minted(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "default.json"
    file.write_text(content)
    async with (
        simulator() as sim,
        gateway(sim, ZOOM_GATEWAY_STORE__URL=f"file://{tmp_path}") as gate,
        session() as client,
    ):
        assert await status_of(client, f"{gate.url}/v2/users/me") == 200
        told = gate.logged("store_file_set_aside")
    aside = list(tmp_path.glob("default.json.corrupt-*"))
    assert [one.read_text() for one in aside] == [content]
    assert str(aside[0]) in told[0]["message"]


async def test_a_token_file_of_a_newer_gateway_is_left_alone(tmp_path: Path) -> None:
    record = {
        "document": {"format": 99},
        "revision": [5, "a1"],
        "fence": [1, "b2"],
        "lease_owner": "",
        "lease_until": 0,
    }
    file = tmp_path / "default.json"
    file.write_text(json.dumps(record))
    async with (
        simulator() as sim,
        gateway(sim, ZOOM_GATEWAY_STORE__URL=f"file://{tmp_path}") as gate,
        session() as client,
    ):
        # Its token may be in use: a mint could kill it.
        assert await status_of(client, f"{gate.url}/v2/users/me") == 503
        async with client.get(f"{gate.admin}/readyz") as answer:
            assert answer.status == 503
            reasons = (await answer.json())["reasons"]
        assert (await state(client, sim))["mints"]["total"] == 0
    assert any("upgrade" in reason for reason in reasons)
    assert json.loads(file.read_text())["document"] == {"format": 99}


async def test_a_port_that_is_taken_is_told_with_its_key() -> None:
    async with simulator() as sim, gateway(sim) as first:
        port = first.url.rpartition(":")[2]
        env = environment(**{**credentials(sim), "ZOOM_GATEWAY_LISTEN__PORT": port})
        second = await Gateway.start("serve", env=env)
        assert await second.ended() == 1
        assert f"cannot listen on 127.0.0.1:{port}" in second.output
        assert "listen.port" in second.output
        assert "Traceback" not in second.output


async def test_every_problem_of_the_configuration_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("listen: {prot: 1}\ntoken: {mint_timeout: 20}\nstore: {url: 'reddis://x'}\n")
    child = await Gateway.start("serve", "--config", str(file), env=environment())
    assert await child.ended() == 2
    for part in ("listen.prot", "port", "token.mint_timeout", "store.url", "accounts"):
        assert part in child.output
    assert "Traceback" not in child.output


async def test_the_token_endpoint_may_fail_at_the_start_and_heal() -> None:
    brief = {"ZOOM_GATEWAY_TOKEN__WAIT_TIMEOUT": "2", "ZOOM_GATEWAY_TOKEN__MINT_TIMEOUT": "1"}
    async with simulator() as sim, session() as client:
        await control(client, sim, "faults", {"mint_status": 503, "html": True}, "PUT")
        async with gateway(sim, **brief) as gate:
            async with client.get(f"{gate.url}/v2/users/me") as answer:
                assert answer.status == 503
                assert int(answer.headers["Retry-After"]) >= 1
                assert answer.headers["X-Zoom-Gateway-Error"] == "token_unavailable"
                assert "token endpoint" in (await answer.json())["message"].lower()
            assert await status_of(client, f"{gate.admin}/readyz") == 503
            await control(client, sim, "faults", None, "DELETE")
            # The next mint may be further away than one call waits.
            async with asyncio.timeout(DEADLINE):
                while await status_of(client, f"{gate.url}/v2/users/me") != 200:
                    pass
