"""A way to Zoom that leads back to the gateway: it ends, and says so."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.test_reload import MAIN, Configured, account
from tests.stores.certificates import Authority
from tests.support.egress import first_of, pipe, serving
from tests.support.load import session
from tests.support.processes import Gateway, Process, environment, eventually, simulator
from tests.support.redis_server import free_port
from tests.zoom.certified import certified
from tests.zoom.name_server import name_server


class Relay:
    """Passes connections on, byte for byte, to wherever it is told."""

    def __init__(self) -> None:
        self.port = 0
        self.to = 0
        self.passed = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.passed += 1
        there, to = await asyncio.open_connection("127.0.0.1", self.to)
        try:
            await first_of(pipe(reader, to), pipe(there, writer))
        finally:
            to.transport.abort()


@contextlib.asynccontextmanager
async def relaying() -> AsyncIterator[Relay]:
    relay = Relay()
    async with serving(relay.talk) as relay.port:
        yield relay


def configuration(directory: Path, **sections: Any) -> Configured:
    base = {
        "listen": {"port": 0},
        "admin": {"port": 0},
        "accounts": {"default": account(MAIN)},
        "drain": {"delay": 0},
    }
    made = Configured(directory / "gateway.yaml", {**base, **sections})
    made.write()
    return made


@contextlib.asynccontextmanager
async def running(directory: Path, **sections: Any) -> AsyncIterator[Configured]:
    made = configuration(directory, **sections)
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


async def asked(
    client: aiohttp.ClientSession, url: str, **options: Any
) -> tuple[int, str | None, str]:
    async with client.get(url, **options) as answer:
        body = await answer.json()
        return answer.status, answer.headers.get("X-Zoom-Gateway-Error"), body["message"]


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_the_start_fails_where_zoom_is_here(tmp_path: Path, host: str, workers: str) -> None:
    port = free_port()
    made = configuration(
        tmp_path,
        listen={"host": host, "port": port},
        upstream={
            "api_url": f"https://api.zoom.us:{port}",
            "token_url": f"http://127.0.0.1:{port}/oauth/token",
            "addresses": {"api.zoom.us": "127.0.0.1"},
        },
    )
    child = await Process.start(
        "serve", "--config", str(made.file), "--workers", workers,
        env=environment(TMPDIR=str(tmp_path)),
    )  # fmt: skip
    try:
        assert await child.ended() == 2
    finally:
        await child.kill()
    told = [line for line in child.lines if "cannot start" in line]
    assert told == [
        f"zoom-gateway: cannot start: upstream.{key}: {name} stands for 127.0.0.1 here, where the"
        " gateway itself listens: give Zoom's address in upstream.addresses, or name servers that"
        " know it in upstream.nameservers."
        for key, name in (("api_url", "api.zoom.us"), ("token_url", "127.0.0.1"))
    ]


async def test_a_reload_that_would_make_a_loop_is_refused(tmp_path: Path) -> None:
    async with simulator() as sim, session() as client:
        upstream = {"api_url": sim, "token_url": f"{sim}/oauth/token"}
        async with running(tmp_path, upstream=upstream) as made:
            made.write(upstream={**upstream, "api_url": made.gate.url})
            (problem,) = (await made.hang_up("reload_failed"))["problems"]
            assert problem.startswith("upstream.api_url: 127.0.0.1 stands for 127.0.0.1 here")
            async with client.get(f"{made.gate.url}/v2/users/me") as answer:
                assert answer.status == 200


async def test_dns_that_changes_makes_no_loop(tmp_path: Path) -> None:
    """The name stood for Zoom at the start, and stands for the gateway later."""
    port = free_port()
    authority = Authority(tmp_path)
    tls = certified(authority, ("api.zoom.us",))
    async with simulator() as sim, session() as client, contextlib.AsyncExitStack() as stack:
        # As Zoom: the same port, at another address of loopback.
        there = await asyncio.start_server(_answer, "127.0.0.2", port, ssl=tls)
        stack.push_async_callback(there.wait_closed)
        stack.callback(there.close)
        records = {("api.zoom.us", "A"): ["127.0.0.2"]}
        async with name_server(records, ttl=0) as server:
            upstream = {
                "api_url": f"https://api.zoom.us:{port}",
                "token_url": f"{sim}/oauth/token",
                "nameservers": [server.place],
                "ca_file": str(authority.file),
            }
            listen = {"host": "127.0.0.1", "port": port}
            async with running(tmp_path, listen=listen, upstream=upstream) as made:
                url = f"{made.gate.url}/v2/users/me"
                async with client.get(url) as answer:
                    assert (answer.status, await answer.read()) == (200, b"{}")
                server.records[("api.zoom.us", "A")] = ["127.0.0.1"]
                status, slug, message = await asked(client, url)
                assert (status, slug) == (508, "loop")
                assert "api.zoom.us stands for 127.0.0.1 here" in message

                def told() -> bool:
                    return any(one.get("error") == "loop" for one in made.gate.logged("call"))

                await eventually(told, "the call's line")


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    await writer.drain()
    writer.close()


async def test_a_service_in_between_is_known_by_the_certificate(tmp_path: Path) -> None:
    """It has an address of its own: nothing of it is this machine's."""
    authority = Authority(tmp_path)
    own = authority.issue("api.zoom.us", "zoom.us")
    async with simulator() as sim, relaying() as relay, session() as client:
        upstream = {
            "token_url": f"{sim}/oauth/token",
            "addresses": {"api.zoom.us": f"127.0.0.1:{relay.port}"},
            "ca_file": str(authority.file),
        }
        files = {"certificate_file": str(own.certificate), "key_file": str(own.key)}
        async with running(tmp_path, tls=files, upstream=upstream) as made:
            relay.to = int(made.gate.url.rpartition(":")[2])
            url = made.gate.url.replace("http://", "https://") + "/v2/users/me"
            for number in (1, 2):
                status, slug, message = await asked(client, url, ssl=False)
                assert (status, slug) == (508, "loop")
                assert "shows the certificate of the gateway itself" in message
                assert relay.passed == number


async def test_what_nothing_else_tells_is_told_by_the_mark(tmp_path: Path) -> None:
    async with simulator() as sim, relaying() as relay, session() as client:
        upstream = {"api_url": relay.url, "token_url": f"{sim}/oauth/token"}
        async with running(tmp_path, upstream=upstream) as made:
            relay.to = int(made.gate.url.rpartition(":")[2])
            url = f"{made.gate.url}/v2/users/me"
            status, _, message = await asked(client, url)
            assert (status, "leads back to the gateway" in message) == (508, True)
            assert relay.passed == 2
            body = json.dumps({"topic": "x" * 100_000})
            async with client.post(f"{url}/meetings", data=body) as answer:
                assert answer.status == 508


async def test_tokens_of_its_own_are_none(tmp_path: Path) -> None:
    async with simulator() as sim, relaying() as relay:
        upstream = {"api_url": sim, "token_url": f"{relay.url}/oauth/token"}
        async with running(tmp_path, upstream=upstream) as made:
            relay.to = int(made.gate.url.rpartition(":")[2])

            def told() -> bool:
                failed = made.gate.logged("mint_failed")
                return bool(failed) and "is a gateway such as this one" in failed[-1]["message"]

            await eventually(told, "what is wrong")
            assert not made.gate.logged("token_minted")
