"""Zoom's own names: addresses and name servers in the system's place, clouds and regions."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.test_reload import MAIN, Configured, account
from tests.stores.certificates import Authority
from tests.support.load import control, session
from tests.support.processes import Gateway, environment, eventually, simulator
from tests.support.zoom_front import Front, zoom_front
from tests.zoom.certified import certified
from tests.zoom.name_server import name_server

NAMES = ("zoom.us", "*.zoom.us", "zoomgov.com", "*.zoomgov.com")


@dataclass
class World:
    sim: str
    usual: Front
    region: Front
    """Another place of the same simulator."""
    authority: Authority


@contextlib.asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    authority = Authority(directory)
    tls = certified(authority, NAMES)
    async with (
        simulator() as sim,
        zoom_front(sim, tls) as usual,
        zoom_front(sim, tls) as region,
    ):
        yield World(sim, usual, region, authority)


@contextlib.asynccontextmanager
async def gateway(at: World, directory: Path, **upstream: Any) -> AsyncIterator[Configured]:
    base = {
        "listen": {"port": 0},
        "admin": {"port": 0, "allow_actions": True},
        "upstream": {"ca_file": str(at.authority.file), **upstream},
        "accounts": {"default": account(MAIN)},
        "drain": {"delay": 0},
    }
    made = Configured(directory / "gateway.yaml", base)
    made.write()
    child = await Gateway.start(
        "serve", "--config", str(made.file), env=environment(TMPDIR=str(directory))
    )
    assert isinstance(child, Gateway)
    made.gate = child
    try:
        await child.listening()
        yield made
    finally:
        await child.kill()


async def ready(made: Configured, client: aiohttp.ClientSession) -> None:
    await eventually(lambda: made.gate.logged("token_minted"), f"a token: {made.gate.lines[-3:]}")
    assert not made.gate.logged("mint_failed")


async def me(made: Configured, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{made.gate.url}/v2/users/me") as answer:
        assert answer.status == 200, await answer.text()


def pinned(at: World) -> dict[str, str]:
    return {
        "api.zoom.us": at.usual.place,
        "zoom.us": at.usual.place,
        "api-eu.zoom.us": at.region.place,
    }


async def test_zooms_hosts_are_where_the_addresses_say(tmp_path: Path) -> None:
    """TLS checks the names all the same."""
    async with world(tmp_path) as at, session() as client:
        async with gateway(at, tmp_path, addresses=pinned(at)) as made:
            await ready(made, client)
            await me(made, client)
            hosts = [
                head.partition(b"\r\nHost: ")[2].partition(b"\r\n")[0] for head in at.usual.heads
            ]
            assert sorted(set(hosts)) == [b"api.zoom.us", b"zoom.us"]
            assert not at.region.heads


async def test_zooms_hosts_are_where_the_name_servers_say(tmp_path: Path) -> None:
    # The port is the URL's, so that only the name is looked up.
    async with world(tmp_path) as at, session() as client:
        records = {("api.zoom.us", "A"): ["127.0.0.1"], ("zoom.us", "A"): ["127.0.0.1"]}
        async with name_server(records) as server:
            urls = {
                "api_url": f"https://api.zoom.us:{at.usual.port}",
                "token_url": f"https://zoom.us:{at.usual.port}/oauth/token",
            }
            async with gateway(at, tmp_path, nameservers=[server.place], **urls) as made:
                await ready(made, client)
                await me(made, client)
            assert {name for name, *_ in server.asked} == {"api.zoom.us", "zoom.us"}


async def test_government_is_a_cloud_of_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as at, session() as client:
        places = {"api.zoomgov.com": at.usual.place, "zoomgov.com": at.usual.place}
        async with gateway(at, tmp_path, cloud="government", addresses=places) as made:
            await ready(made, client)
            await me(made, client)
            assert b"\r\nHost: api.zoomgov.com\r\n" in at.usual.heads[-1]


async def test_calls_follow_the_api_url_of_the_token(tmp_path: Path) -> None:
    async with world(tmp_path) as at, session() as client:
        await control(client, at.sim, "config", {"api_url": "https://api-eu.zoom.us"})
        async with gateway(at, tmp_path, api_url="auto", addresses=pinned(at)) as made:
            await ready(made, client)
            await me(made, client)
            assert len(at.region.heads) == 1
            assert b"\r\nHost: api-eu.zoom.us\r\n" in at.region.heads[0]
            assert all(b"POST /oauth/token" in head for head in at.usual.heads)
            # A stranger's name is not followed: calls go where they go without one.
            await control(client, at.sim, "config", {"api_url": "https://api.zoom.us.evil.example"})
            async with client.post(f"{made.gate.admin}/accounts/default/rotate", json={}) as answer:
                assert answer.status == 202, await answer.text()
            await eventually(lambda: len(made.gate.logged("token_minted")) == 2, "another token")
            await me(made, client)
            assert b"\r\nHost: api.zoom.us\r\n" in at.usual.heads[-1]
            assert len(at.region.heads) == 1
            (told,) = made.gate.logged("api_url_ignored")
            assert told["account"] == "default"
            assert "api.zoom.us.evil.example" in told["message"]
