"""Who is not Zoom gets neither a token nor a secret, and the operator hears why.

Each fault is met by both clients; the server keeps what it could read.
"""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.core.credentials import AppCredentials
from gateway.core.errors import MintError, MintFailure, UpstreamConnectError
from gateway.core.secret import Secret
from gateway.core.token import SlotId
from gateway.ports import UpstreamRequest
from gateway.web.errors import problem_of
from gateway.zoom.minter import TokenEndpoint
from gateway.zoom.tls import default_tls, strict
from gateway.zoom.upstream import HttpUpstream
from tests.stores.certificates import Authority
from tests.support.egress import serving
from tests.zoom.certified import certified, old_server, self_signed
from tests.zoom.peer import on_every_loop

TOKEN, SECRET = b"canary-token", b"canary-secret"
IMPATIENT = 0.3
"""Seconds for a connection where it is known never to be made."""

CALL = UpstreamRequest(
    "GET", b"/v2/users", ((b"Host", b"x"), (b"Authorization", b"Bearer " + TOKEN))
)


class Recorder:
    """A server that keeps all that it can read, under its TLS and before it."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        self.connections += 1
        while data := await reader.read(65_536):
            self.heard += data

    async def hang_up(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.heard += await reader.read(65_536)


def a_client(authority: Authority) -> ssl.SSLContext:
    return strict(ssl.create_default_context(cafile=str(authority.file)))


Fault = Callable[[Authority, Path], ssl.SSLContext | None]

FAULTS: dict[str, tuple[Fault, str]] = {
    "expired": (
        lambda ca, _: certified(ca, days=(-9, -2)),
        "its certificate is not trusted: certificate has expired",
    ),
    "not yet valid": (
        lambda ca, _: certified(ca, days=(2, 9)),
        "its certificate is not trusted: certificate is not yet valid",
    ),
    "wrong name": (
        lambda ca, _: certified(ca, ("other.zoom.test",)),
        "its certificate is not trusted: .*mismatch",
    ),
    "unknown authority": (
        lambda _, directory: certified(Authority(directory, "stranger")),
        "its certificate is not trusted: unable to get local issuer certificate",
    ),
    "signed by itself": (
        lambda _, directory: self_signed(directory),
        "its certificate is not trusted: self-signed certificate",
    ),
    "no TLS": (lambda *_: None, r"its TLS was not ready within 0\.3 s|the way to it"),
}


@contextlib.asynccontextmanager
async def both(
    port: int, client: ssl.SSLContext, seconds: float
) -> AsyncIterator[tuple[HttpUpstream, TokenEndpoint]]:
    url = f"https://127.0.0.1:{port}"
    api = HttpUpstream(url, tls=lambda: client, connect_timeout=seconds)
    app = AppCredentials("client", Secret(SECRET.decode()))
    endpoint = TokenEndpoint(
        f"{url}/oauth/token",
        "account",
        {"main": lambda: app},
        tls=lambda: client,
        connect_timeout=seconds,
    )
    try:
        yield api, endpoint
    finally:
        await api.close()
        await endpoint.close()


async def refused(api: HttpUpstream, endpoint: TokenEndpoint, words: str) -> None:
    with pytest.raises(UpstreamConnectError, match=words) as call:
        await api.send(CALL)
    problem = problem_of(call.value)
    assert (problem.status, problem.slug) == (502, "upstream_connect")
    assert str(call.value) in problem.message
    assert "nothing was sent" in problem.message
    with pytest.raises(MintError, match=words) as mint:
        await endpoint.mint(SlotId("main", 0))
    assert mint.value.failure is MintFailure.CONNECTION
    for shown in (problem.message, str(mint.value)):
        assert "canary" not in shown


@pytest.mark.parametrize("fault", FAULTS)
@on_every_loop
async def test_who_is_not_zoom(tmp_path: Path, fault: str) -> None:
    make, words = FAULTS[fault]
    authority, recorder = Authority(tmp_path), Recorder()
    server = make(authority, tmp_path)
    seconds = IMPATIENT if server is None else 5.0
    async with (
        serving(recorder.talk, server) as port,
        both(port, a_client(authority), seconds) as clients,
    ):
        await refused(*clients, words)
    assert b"canary" not in recorder.heard
    if server is not None:
        assert recorder.heard == b""


@on_every_loop
async def test_who_speaks_old_versions_of_tls_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with old_server(certified(authority)) as (port, heard):
        async with both(port, a_client(authority), 5.0) as clients:
            await refused(*clients, "no TLS: it has no version from TLS 1.2 on")
        # It does serve who takes so little.
        lax = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        lax.set_ciphers("ALL:@SECLEVEL=0")
        lax.load_verify_locations(authority.file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            lax.minimum_version = ssl.TLSVersion.TLSv1
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=lax)
        writer.write(b"hello")
        assert await reader.read() == b""
        writer.close()
    assert heard == b"hello"


@on_every_loop
async def test_who_hangs_up_in_the_handshake(tmp_path: Path) -> None:
    recorder = Recorder()
    async with (
        serving(recorder.hang_up) as port,
        both(port, a_client(Authority(tmp_path)), 5.0) as clients,
    ):
        await refused(*clients, "it closed the connection during the TLS handshake")
    assert b"canary" not in recorder.heard
    assert recorder.connections >= 2


@on_every_loop
async def test_who_answers_in_clear(tmp_path: Path) -> None:
    heard = bytearray()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(65_536))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await reader.read(65_536)

    async with (
        serving(plain) as port,
        both(port, a_client(Authority(tmp_path)), 5.0) as clients,
    ):
        await refused(*clients, "no TLS: ")
    assert b"canary" not in heard


@on_every_loop
async def test_the_certificate_of_the_right_name_is_taken(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = b'{"access_token":"t","token_type":"bearer","expires_in":3599}'
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or b"0")
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    async with (
        serving(talk, certified(authority)) as port,
        both(port, a_client(authority), 5.0) as (api, endpoint),
    ):
        answer = await api.send(CALL)
        assert answer.status == 200
        await answer.close()
        assert (await endpoint.mint(SlotId("main", 0))).lifetime == 3599


@pytest.mark.parametrize("asked", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.MINIMUM_SUPPORTED])
def test_what_the_machine_asks_for_is_never_lowered(asked: ssl.TLSVersion) -> None:
    context = ssl.create_default_context()
    context.minimum_version = asked
    assert strict(context).minimum_version is max(asked, ssl.TLSVersion.TLSv1_2)
    assert default_tls().verify_mode is ssl.CERT_REQUIRED


REDIRECTS = [301, 302, 303, 307, 308]


@pytest.mark.parametrize("status", REDIRECTS)
@on_every_loop
async def test_no_answer_leads_elsewhere(status: int) -> None:
    """Redirects are the caller's to follow, or nobody's; elsewhere, nothing arrives."""
    elsewhere = Recorder()
    async with serving(elsewhere.talk) as other:

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            where = b"http://127.0.0.1:%d/v2/users" % other
            writer.write(
                b"HTTP/1.1 %d Moved\r\nLocation: %b\r\nRefresh: 0; url=%b\r\n"
                b'Alt-Svc: h2="127.0.0.1:%d"\r\nContent-Length: 0\r\n\r\n'
                % (status, where, where, other)
            )
            await writer.drain()
            await reader.read(65_536)

        async with serving(talk) as port:
            api = HttpUpstream(f"http://127.0.0.1:{port}")
            answer = await api.send(CALL)
            assert answer.status == status
            await answer.close()
            await api.close()
            app = AppCredentials("client", Secret(SECRET.decode()))
            endpoint = TokenEndpoint(
                f"http://127.0.0.1:{port}/oauth/token", "account", {"main": lambda: app}
            )
            with pytest.raises(MintError, match="token_url") as caught:
                await endpoint.mint(SlotId("main", 0))
            assert caught.value.failure is MintFailure.REFUSED
            await endpoint.close()
    assert elsewhere.connections == 0
