"""By a proxy to Zoom: what the proxy sees, what it may answer, and that calls go on as ever."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.core.credentials import AppCredentials
from gateway.core.egress import EgressProxy, parse_proxy
from gateway.core.errors import MintError, MintFailure, UpstreamBrokenError, UpstreamConnectError
from gateway.core.secret import Secret
from gateway.core.token import SlotId
from gateway.ports import UpstreamRequest
from gateway.zoom.minter import TokenEndpoint
from gateway.zoom.tls import strict
from gateway.zoom.upstream import HttpUpstream
from tests.stores.certificates import Authority
from tests.support.egress import ConnectProxy, proxying, serving
from tests.zoom.certified import NAME, certified
from tests.zoom.peer import chunks_of, eventually, on_every_loop, read_and_close

LOGIN = "proxy-user:canary-proxy"
TOKEN = b"canary-token"
SECRET = "canary-secret"
GRANT = b'{"access_token":"t","token_type":"bearer","expires_in":3599}'


def call(method: str = "GET", body: bytes | None = None) -> UpstreamRequest:
    fields = [
        (b"Host", NAME.encode()),
        (b"Authorization", b"Bearer " + TOKEN),
        (b"X-Caller", b"canary-header"),
    ]
    if body is None:
        return UpstreamRequest(method, b"/v2/users", tuple(fields))
    fields.append((b"Content-Length", b"%d" % len(body)))
    return UpstreamRequest(method, b"/v2/users", tuple(fields), chunks_of(body))


class Zoom:
    """Answers each request with `answer`, and keeps what it was sent."""

    def __init__(self, answer: bytes = b"ok") -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or b"0")
            self.bodies.append(await reader.readexactly(length))
            framed = (len(self.answer), self.answer)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % framed)
            await writer.drain()


@dataclass
class Bench:
    """Zoom behind a proxy, and both clients."""

    zoom: Zoom
    proxy: ConnectProxy
    api: HttpUpstream
    tokens: TokenEndpoint

    async def mint(self) -> float:
        return (await self.tokens.mint(SlotId("main", 0))).lifetime


@contextlib.asynccontextmanager
async def bench(
    directory: Path,
    proxy: ConnectProxy,
    *,
    secure: bool = False,
    login: str | None = LOGIN,
    seconds: float = 5.0,
    names: tuple[str, ...] = (NAME,),
) -> AsyncIterator[Bench]:
    authority, zoom = Authority(directory), Zoom(GRANT)
    tls = strict(ssl.create_default_context(cafile=str(authority.file)))
    outer = certified(authority, ("127.0.0.1",)) if secure else None
    async with (
        serving(zoom.talk, certified(authority, names)) as port,
        proxying(proxy, outer),
    ):
        userinfo = f"{login}@" if login else ""
        by = parse_proxy(f"{'https' if secure else 'http'}://{userinfo}{proxy.authority}")
        made = clients(f"https://{NAME}:{port}", by, tls, seconds)
        try:
            yield Bench(zoom, proxy, *made)
        finally:
            for client in made:
                await client.close()


def clients(
    url: str, proxy: EgressProxy, tls: ssl.SSLContext, seconds: float
) -> tuple[HttpUpstream, TokenEndpoint]:
    app = AppCredentials("client", Secret(SECRET))
    api = HttpUpstream(url, tls=lambda: tls, proxy=proxy, connect_timeout=seconds)
    return api, TokenEndpoint(
        f"{url}/oauth/token",
        "account",
        {"main": lambda: app},
        tls=lambda: tls,
        proxy=proxy,
        connect_timeout=seconds,
    )


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@on_every_loop
async def test_calls_and_mints_go_through(tmp_path: Path, secure: bool) -> None:  # noqa: FBT001
    proxy = ConnectProxy(login=LOGIN, chunked=True)
    async with bench(tmp_path, proxy, secure=secure) as at:
        for _ in range(3):
            assert await read_and_close(await at.api.send(call())) == GRANT
        upload = bytes(range(256)) * 4096
        assert await read_and_close(await at.api.send(call("POST", upload))) == GRANT
        assert at.zoom.bodies[-1] == upload
        assert (at.zoom.connections, at.api.idle) == (1, 1)
        assert await at.mint() == 3599
    # What each side was told: to the proxy its own credentials, and to Zoom Zoom's.
    authority = proxy.tunnels[0]
    basic = base64.b64encode(LOGIN.encode()).decode()
    assert proxy.tunnels == [authority] * 2
    for head in proxy.heads:
        lines = head.decode().split("\r\n")
        assert lines[0] == f"CONNECT {authority} HTTP/1.1"
        assert f"Host: {authority}" in lines
        assert f"Proxy-Authorization: Basic {basic}" in lines
        assert any(line.startswith("User-Agent: zoom-gateway/") for line in lines)
        assert b"canary" not in head
    assert b"canary" not in proxy.up
    assert b"Basic" not in proxy.up
    assert any(TOKEN in head for head in at.zoom.heads)
    assert not any(b"proxy" in head.lower() for head in at.zoom.heads)


@on_every_loop
async def test_a_tunnel_that_ended_is_not_used_again(tmp_path: Path) -> None:
    async with bench(tmp_path, ConnectProxy(login=LOGIN)) as at:
        for number in range(1, 4):
            assert await read_and_close(await at.api.send(call())) == GRANT
            assert len(at.proxy.tunnels) == number
            assert at.api.idle == 1
            at.proxy.cut()
            await eventually(lambda: at.api.idle == 0)


@on_every_loop
async def test_a_tunnel_that_ends_in_the_middle_of_a_call(tmp_path: Path) -> None:
    """It was sent, so it is not sent again."""

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        heard.set()
        await reader.read()

    heard = asyncio.Event()
    proxy, authority = ConnectProxy(), Authority(tmp_path)
    tls = strict(ssl.create_default_context(cafile=str(authority.file)))
    async with serving(silent, certified(authority)) as port, proxying(proxy):
        by = parse_proxy(f"http://{proxy.authority}")
        api, tokens = clients(f"https://{NAME}:{port}", by, tls, 5.0)
        sending = asyncio.ensure_future(api.send(call("POST", b"x")))
        await heard.wait()
        proxy.cut()
        with pytest.raises(UpstreamBrokenError):
            await sending
        heard.clear()
        minting = asyncio.ensure_future(tokens.mint(SlotId("main", 0)))
        await heard.wait()
        proxy.cut()
        with pytest.raises(MintError) as caught:
            await minting
        assert caught.value.failure is MintFailure.BROKEN
        assert len(proxy.tunnels) == 2
        await api.close()
        await tokens.close()


REFUSALS = {
    "no login": (ConnectProxy(login="other:x"), "does not take the user and password of its URL"),
    "forbidden": (ConnectProxy(said=b"HTTP/1.1 403 Forbidden\r\n\r\n"), "403: its rules"),
    "bad gateway": (ConnectProxy(said=b"HTTP/1.1 502 Bad\r\n\r\n"), "502: it cannot reach"),
    "no proxy": (ConnectProxy(said=b"HTTP/1.1 405 No\r\n\r\n"), "405: it may be no proxy"),
    "redirect": (
        ConnectProxy(said=b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"),
        "302: it may be no proxy",
    ),
    "garbage": (ConnectProxy(said=b"SSH-2.0-x\r\n\r\n"), "its answer is not HTTP"),
    "no word": (ConnectProxy(said=b""), "it hangs up"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
@on_every_loop
async def test_a_proxy_that_opens_no_way(tmp_path: Path, refusal: str) -> None:
    known, words = REFUSALS[refusal]
    proxy = ConnectProxy(login=known.login, said=known.said)
    async with bench(tmp_path, proxy) as at:
        with pytest.raises(UpstreamConnectError, match=words) as caught:
            await at.api.send(call())
        assert (at.api.idle, at.api.in_use) == (0, 0)
        with pytest.raises(MintError, match=words) as mint:
            await at.mint()
    assert mint.value.failure is MintFailure.CONNECTION
    for error in (caught.value, mint.value):
        assert f"The proxy {proxy.authority} gives no way to" in str(error)
        assert "canary" not in str(error)
    assert at.zoom.connections == 0
    assert not any(b"canary" in head for head in proxy.heads)


@on_every_loop
async def test_a_proxy_that_asks_for_a_login(tmp_path: Path) -> None:
    async with bench(tmp_path, ConnectProxy(login=LOGIN), login=None) as at:
        for waiting in (at.api.send(call()), at.mint()):
            with pytest.raises((UpstreamConnectError, MintError), match="asks for a user and"):
                await waiting


@on_every_loop
async def test_a_proxy_that_says_too_much(tmp_path: Path) -> None:
    endless = b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40_000
    early = b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    for said, words in ((endless, "no end within 16384 bytes"), (early, "says more than")):
        async with bench(tmp_path, ConnectProxy(opening=said)) as at:
            with pytest.raises(UpstreamConnectError, match=words):
                await at.api.send(call())
        assert at.zoom.heads == []
    async with bench(tmp_path, ConnectProxy(opening=endless)) as at:
        with pytest.raises(MintError) as mint:
            await at.mint()
    assert mint.value.failure is MintFailure.CONNECTION
    assert at.zoom.heads == []


@on_every_loop
async def test_interim_answers_of_a_proxy_are_passed_over(tmp_path: Path) -> None:
    opening = b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\nHTTP/1.0 200 OK\nVia: x\n\n"
    async with bench(tmp_path, ConnectProxy(opening=opening)) as at:
        assert await read_and_close(await at.api.send(call())) == GRANT


@on_every_loop
async def test_a_proxy_that_never_answers(tmp_path: Path) -> None:
    async with bench(tmp_path, ConnectProxy(silent=True), seconds=0.3) as at:
        with pytest.raises(UpstreamConnectError, match=r"it gave no answer within 0\.3 s"):
            await at.api.send(call())
        with pytest.raises(MintError, match=r"by the proxy .* within 0\.3 s") as mint:
            await at.mint()
        assert mint.value.failure is MintFailure.CONNECTION


@on_every_loop
async def test_who_waits_for_a_proxy_in_vain_and_goes_away(tmp_path: Path) -> None:
    async with bench(tmp_path, ConnectProxy(silent=True)) as at:
        sending = asyncio.ensure_future(at.api.send(call()))
        await eventually(lambda: len(at.proxy.heads) == 1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


@on_every_loop
async def test_no_proxy_listens(tmp_path: Path) -> None:
    proxy = ConnectProxy()
    async with bench(tmp_path, proxy) as at:
        pass
    by = parse_proxy(f"http://{proxy.authority}")
    api, tokens = clients(f"https://{NAME}", by, ssl.create_default_context(), 5.0)
    words = f"The proxy {proxy.authority} gives no way to .*: Connection refused"
    with pytest.raises(UpstreamConnectError, match=words):
        await api.send(call())
    with pytest.raises(MintError, match=words):
        await tokens.mint(SlotId("main", 0))
    await api.close()
    await tokens.close()
    assert at.zoom.connections == 0


@on_every_loop
async def test_a_proxy_whose_name_is_not_known() -> None:
    by = parse_proxy("http://no-such-proxy.invalid:3128")
    api, tokens = clients(f"https://{NAME}", by, ssl.create_default_context(), 5.0)
    words = "no-such-proxy.invalid:3128 gives no way to .*: its name has no address here"
    with pytest.raises(UpstreamConnectError, match=words):
        await api.send(call())
    with pytest.raises(MintError, match=words):
        await tokens.mint(SlotId("main", 0))
    await api.close()
    await tokens.close()


@on_every_loop
async def test_a_proxy_that_stands_in_for_zoom(tmp_path: Path) -> None:
    """It ends the tunnel itself, with a certificate of its own: it gets nothing to read."""
    async with bench(tmp_path, ConnectProxy(), login=None, names=("proxy.test",)) as at:
        words = r"by the proxy .*: its certificate is not trusted: .*mismatch"
        with pytest.raises(UpstreamConnectError, match=words):
            await at.api.send(call())
        with pytest.raises(MintError, match=words) as mint:
            await at.mint()
    assert mint.value.failure is MintFailure.CONNECTION
    assert at.zoom.heads == []


@on_every_loop
async def test_an_https_proxy_that_is_not_what_it_says(tmp_path: Path) -> None:
    """Its password is not sent to who cannot show the right certificate."""
    proxy, stranger = ConnectProxy(login=LOGIN), tmp_path / "stranger"
    stranger.mkdir()
    authority = Authority(tmp_path)
    tls = strict(ssl.create_default_context(cafile=str(authority.file)))
    async with proxying(proxy, certified(Authority(stranger), ("127.0.0.1",))):
        by = parse_proxy(f"https://{LOGIN}@{proxy.authority}")
        api, tokens = clients(f"https://{NAME}", by, tls, 5.0)
        words = f"The proxy {proxy.authority} gives no way to .*: its certificate is not trusted"
        with pytest.raises(UpstreamConnectError, match=words):
            await api.send(call())
        with pytest.raises(MintError, match=words):
            await tokens.mint(SlotId("main", 0))
        await api.close()
        await tokens.close()
    assert proxy.heads == []


@on_every_loop
async def test_the_end_of_an_answer_without_a_length_must_be_zooms(tmp_path: Path) -> None:
    """Whoever is on the way can end a connection; only Zoom can say that it is complete."""
    proxy, authority = ConnectProxy(), Authority(tmp_path)
    tls = strict(ssl.create_default_context(cafile=str(authority.file)))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        if b"/whole" in head:
            writer.close()
            await writer.wait_closed()
        else:
            await reader.read()

    async with serving(talk, certified(authority)) as port, proxying(proxy):
        by = parse_proxy(f"http://{proxy.authority}")
        api, tokens = clients(f"https://{NAME}:{port}", by, tls, 5.0)
        whole = UpstreamRequest("GET", b"/whole", ((b"Host", b"x"),))
        assert await read_and_close(await api.send(whole)) == b"hello"
        answer = await api.send(call())
        body = bytearray()

        async def read() -> None:
            async for chunk in answer.chunks():
                body.extend(chunk)
                proxy.cut()

        with pytest.raises(UpstreamBrokenError):
            await read()
        assert body == b"hello"
        await answer.close()
        await api.close()
        await tokens.close()
