"""A gateway whose only way to Zoom is a proxy: no name is known here, and TLS is inside."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.test_reload import MAIN, Configured, account
from tests.stores.certificates import Authority
from tests.support.egress import ConnectProxy, proxying, tls_front
from tests.support.load import control, session
from tests.support.processes import DEADLINE, Gateway, environment, eventually, simulator
from tests.zoom.certified import certified

API, TOKENS = "api.zoom.test", "zoom.test"
LOGIN = "proxy-user:canary-proxy"


@dataclass
class World:
    sim: str
    port: int
    """Of both of Zoom's hosts, under TLS."""
    proxy: ConnectProxy
    authority: Authority

    @property
    def upstream(self) -> dict[str, object]:
        return {
            "trusted_hosts": ["zoom.test", "*.zoom.test"],
            "api_url": f"https://{API}:{self.port}",
            "token_url": f"https://{TOKENS}:{self.port}/oauth/token",
            "ca_file": str(self.authority.file),
        }


@contextlib.asynccontextmanager
async def world(directory: Path, proxy: ConnectProxy) -> AsyncIterator[World]:
    authority = Authority(directory)
    tls = certified(authority, (API, TOKENS))
    async with (
        simulator() as sim,
        tls_front(urlsplit(sim).port or 0, tls) as port,
        proxying(proxy),
    ):
        yield World(sim, port, proxy, authority)


@contextlib.asynccontextmanager
async def behind(
    at: World, directory: Path, upstream: Mapping[str, object] | None = None, **variables: str
) -> AsyncIterator[Configured]:
    base = {
        "listen": {"port": 0},
        "admin": {"port": 0},
        "upstream": {**at.upstream, **(upstream or {})},
        "accounts": {"default": account(MAIN)},
        "drain": {"delay": 0},
    }
    made = Configured(directory / "gateway.yaml", base)
    made.write()
    env = environment(TMPDIR=str(directory), **variables)
    child = await Gateway.start("serve", "--config", str(made.file), env=env)
    assert isinstance(child, Gateway)
    made.gate = child
    try:
        await child.listening()
        yield made
    finally:
        await child.kill()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await holds():
            await asyncio.sleep(0.02)


async def calls_with(made: Configured, field: str) -> list[dict[str, Any]]:
    """Of calls that went well there is none."""

    def lines() -> list[dict[str, Any]]:
        return [one for one in made.gate.logged("call") if field in one]

    return list(await eventually(lines, f"a call's line with {field}"))


def everything_said(made: Configured) -> str:
    return "\n".join(made.gate.lines)


async def test_all_of_it_goes_by_the_proxy_of_the_environment(tmp_path: Path) -> None:
    proxy = ConnectProxy(login=LOGIN)
    async with world(tmp_path, proxy) as at, session() as client:
        env = {"HTTPS_PROXY": f"http://{LOGIN}@{proxy.authority}", "NO_PROXY": "localhost,.svc"}
        async with behind(at, tmp_path, None, **env) as made:
            url = made.gate.url
            async with client.get(f"{url}/v2/users/me") as answer:
                assert answer.status == 200
            # Zoom's own 124 is never seen: a new token, and the call once more, by the same way.
            await control(client, at.sim, "kill")
            upload = bytes(range(256)) * 2048
            async with client.post(f"{url}/v2/users/me/meetings", data=upload) as answer:
                assert answer.status != 401
            (replayed,) = await calls_with(made, "replay_outcome")
            assert (replayed["replay_outcome"], replayed["bytes_in"]) == ("recovered", len(upload))
            status = await made.status()
            assert status["upstream"]["api"] == f"{API}:{at.port}"
            assert status["upstream"]["proxy"] == proxy.authority
            (started,) = made.gate.logged("started")
            assert started["egress_proxy"] == proxy.authority
            assert f"by the proxy {proxy.authority}" in started["message"]
            async with client.get(f"{made.gate.admin}/metrics") as answer:
                shown = await answer.text()
            assert "canary" not in everything_said(made) + json.dumps(status) + shown
        assert set(proxy.tunnels) == {f"{API}:{at.port}", f"{TOKENS}:{at.port}"}
        assert proxy.tunnels.count(f"{TOKENS}:{at.port}") == 2  # a mint each


async def test_a_proxy_that_fails_is_named_to_all(tmp_path: Path) -> None:
    proxy = ConnectProxy()
    async with world(tmp_path, proxy) as at, session() as client:
        env = {"HTTPS_PROXY": f"http://{LOGIN}@{proxy.authority}"}
        async with behind(at, tmp_path, None, **env) as made:
            url = f"{made.gate.url}/v2/users/me"
            async with client.get(url) as answer:
                assert answer.status == 200
            proxy.said = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
            proxy.cut()
            words = (
                f"The proxy {proxy.authority} gives no way to Zoom at {API}:{at.port}: it refuses"
            )

            async def refused() -> bool:
                async with client.get(url) as answer:
                    body = await answer.text()
                    error = answer.headers.get("X-Zoom-Gateway-Error")
                    return (answer.status, error) == (502, "upstream_connect") and words in body

            await until(refused)
            call = (await calls_with(made, "reason"))[-1]
            assert call["error"] == "upstream_connect"
            assert str(call["reason"]).startswith(words)
            assert "canary" not in everything_said(made)


async def test_a_reload_applies_hosts_proxy_and_bundle(tmp_path: Path) -> None:
    """And the file of CAs that changes counts without one."""
    proxy = ConnectProxy()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with world(tmp_path, proxy) as at, session() as client:
        stranger = Authority(elsewhere)
        by = {"egress_proxy": f"http://{proxy.authority}"}
        wrong = by | {"ca_file": str(stranger.file)}
        async with behind(at, tmp_path, wrong) as made:
            url = f"{made.gate.url}/v2/users/me"
            await eventually(lambda: made.gate.logged("mint_failed"), "a mint that fails")
            assert "its certificate is not trusted" in made.gate.logged("mint_failed")[0]["message"]
            assert await made.reload(upstream=at.upstream | by) == ["upstream"]
            async with client.get(url) as answer:
                assert answer.status == 200
            # A host that nobody has named gets nothing, and what was in force stays.
            evil = at.upstream | by | {"api_url": f"https://api.zoom.test.evil.example:{at.port}"}
            made.write(upstream=evil)
            (problem,) = (await made.hang_up("reload_failed"))["problems"]
            assert problem.startswith("upstream.api_url: must be at zoom.us")
            async with client.get(url) as answer:
                assert answer.status == 200
            # Without a reload: whoever is to be believed from now on.
            (tmp_path / "fresh.pem").write_bytes(stranger.file.read_bytes())
            (tmp_path / "fresh.pem").replace(at.authority.file)
            proxy.cut()

            async def distrusts() -> bool:
                async with client.get(url) as answer:
                    return answer.status == 502 and "not trusted" in await answer.text()

            await until(distrusts)
            assert at.authority.file.write_text("garbage") > 0
            await until(distrusts)
            (told,) = await eventually(lambda: made.gate.logged("ca_file_unusable"), "the line")
            assert str(at.authority.file) in told["message"]


async def test_what_stays_here_goes_by_no_proxy(tmp_path: Path) -> None:
    proxy = ConnectProxy()
    async with world(tmp_path, proxy) as at, session() as client:
        here = {"api_url": at.sim, "token_url": f"{at.sim}/oauth/token"}
        env = {
            "HTTPS_PROXY": f"http://{proxy.authority}",
            "HTTP_PROXY": f"http://{proxy.authority}",
        }
        async with behind(at, tmp_path, here, **env, ALL_PROXY="socks5://x:1") as made:
            async with client.get(f"{made.gate.url}/v2/users/me") as answer:
                assert answer.status == 200
            assert "egress_proxy" not in made.gate.logged("started")[0]
    assert proxy.heads == []
