"""What the page on migration promises: clients that work, old minters that do no harm and end."""

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from gateway.sim.client import basic
from tests.docs.pages import DOCS, Block, blocks
from tests.support.load import control, metric, session
from tests.support.processes import Gateway, environment, gateway, simulator

PAGE: Final = DOCS / "migration.md"
MINTS: Final = "zoom_gateway_token_mints_total"
FOREIGN: Final = "zoom_gateway_token_foreign_mints_total"


@pytest.mark.parametrize("block", blocks(PAGE, "python"), ids=str)
async def test_the_clients_work(block: Block) -> None:
    async with simulator() as sim, gateway(sim) as gate:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", block.text.replace("http://127.0.0.1:8080", gate.url)),
            env=environment(NO_PROXY="127.0.0.1"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await child.communicate()
    assert (child.returncode, out) == (0, b"30\n"), err.decode()


class OldMinter:
    """A program that has the credentials, and mints."""

    def __init__(self, client: aiohttp.ClientSession, sim: str, secret: str) -> None:
        self._client, self._sim = client, sim
        self._login = basic("demo-client", secret)

    async def mint(self) -> Any:
        grant = {"grant_type": "account_credentials", "account_id": "demo-account"}
        url = f"{self._sim}/oauth/token"
        async with self._client.post(url, data=grant, headers=self._login) as answer:
            return await answer.json()


async def called(client: aiohttp.ClientSession, gate: Gateway) -> int:
    async with client.get(f"{gate.url}/v2/users/me") as answer:
        await answer.read()
        return answer.status


async def total(client: aiohttp.ClientSession, gate: Gateway, name: str, label: str = "") -> float:
    samples = await metric(client, gate.admin, name)
    return sum(count for labels, count in samples.items() if label in labels)


async def foreign_mints(client: aiohttp.ClientSession, gate: Gateway, number: int) -> None:
    """Wait until so many are counted: what was seen of a call follows the call."""
    async with asyncio.timeout(30):
        while await total(client, gate, FOREIGN) < number:
            await asyncio.sleep(0.02)
    assert await total(client, gate, FOREIGN) == number


async def test_the_whole_way(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("demo-secret")
    variables = {"ZOOM_CLIENT_SECRET": "", "ZOOM_CLIENT_SECRET_FILE": str(secret)}
    async with (
        simulator("--mode", "single") as sim,
        session() as client,
        gateway(sim, **variables) as gate,
    ):
        old = OldMinter(client, sim, "demo-secret")
        # Beside the old programs: each of their mints kills the token, and no caller sees it.
        for number in range(1, 4):
            assert await called(client, gate) == 200
            assert (await old.mint())["access_token"]
            assert await called(client, gate) == 200
            await foreign_mints(client, gate, number)
        # The secret is rotated: both work, until the old one is ended.
        rotation = {"app": "demo-client", "client_secret": "rotated"}
        await control(client, sim, "rotate-secret", rotation)
        assert (await old.mint())["access_token"]
        secret.write_text("rotated")
        assert await called(client, gate) == 200
        await control(client, sim, "config", {"overlap": False})
        # The old minter is locked out; the gateway goes on.
        assert (await old.mint())["error"] == "invalid_client"
        await control(client, sim, "kill")
        assert await called(client, gate) == 200
        assert await total(client, gate, MINTS, 'result="success"') == await total(
            client, gate, MINTS
        )


async def test_an_index_of_its_own_keeps_the_two_apart(tmp_path: Path) -> None:
    block = next(block for block in blocks(PAGE, "yaml") if "token_indexes: [1]" in block.text)
    (tmp_path / "gateway.yaml").write_text(block.text)
    options = ("--config", str(tmp_path / "gateway.yaml"))
    async with (
        simulator("--mode", "single") as sim,
        session() as client,
        gateway(sim, *options) as gate,
    ):
        old = OldMinter(client, sim, "demo-secret")
        for _ in range(3):
            assert await called(client, gate) == 200
            token = (await old.mint())["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            async with client.get(f"{sim}/v2/users/me", headers=headers) as answer:
                assert answer.status == 200
        assert await called(client, gate) == 200
        assert await total(client, gate, MINTS) == 1
        assert await total(client, gate, FOREIGN) == 0
