"""Credentials that change on disk, as Kubernetes changes them, without a restart."""

import itertools
import time
from pathlib import Path

import aiohttp

from tests.support.load import control, metric, session
from tests.support.processes import gateway, simulator


class MountedSecret:
    """A directory as the kubelet keeps it: `..data` is a link to the newest version."""

    def __init__(self, directory: Path, value: str) -> None:
        self._directory = directory
        self._versions = itertools.count()
        (directory / "client-secret").symlink_to("..data/client-secret")
        self.update(value)

    @property
    def path(self) -> str:
        return str(self._directory / "client-secret")

    def update(self, value: str) -> None:
        version = self._directory / f"..version-{next(self._versions)}"
        version.mkdir()
        (version / "client-secret").write_text(value)
        swap = self._directory / "..data_tmp"
        swap.symlink_to(version.name)
        swap.rename(self._directory / "..data")


def variables(secret: MountedSecret) -> dict[str, str]:
    return {"ZOOM_CLIENT_SECRET": "", "ZOOM_CLIENT_SECRET_FILE": secret.path}


async def answered(client: aiohttp.ClientSession, url: str) -> int:
    async with client.get(f"{url}/v2/users/me") as answer:
        await answer.read()
        return answer.status


async def test_a_wrong_secret_that_is_corrected_is_used_at_once(tmp_path: Path) -> None:
    secret = MountedSecret(tmp_path, "wrong")
    async with (
        simulator() as sim,
        session() as client,
        gateway(sim, **variables(secret)) as gate,
    ):
        assert await answered(client, gate.url) == 503
        secret.update("demo-secret")
        begun = time.monotonic()
        while await answered(client, gate.url) != 200:
            # By itself it would try again after a minute.
            assert time.monotonic() - begun < 20


async def test_a_rotated_secret_is_used_at_the_next_mint(tmp_path: Path) -> None:
    secret = MountedSecret(tmp_path, "demo-secret")
    async with (
        simulator() as sim,
        session() as client,
        gateway(sim, **variables(secret)) as gate,
    ):
        assert await answered(client, gate.url) == 200
        rotation = {"app": "demo-client", "client_secret": "rotated"}
        await control(client, sim, "rotate-secret", rotation)
        await control(client, sim, "config", {"overlap": False})
        secret.update("rotated")
        await control(client, sim, "kill")
        assert await answered(client, gate.url) == 200
        mints = await metric(client, gate.admin, "zoom_gateway_token_mints_total")
    assert sum(mints.values()) == 2
    assert all('result="success"' in labels for labels, count in mints.items() if count)
