"""The way to the API: addresses, TLS, and what is said when there is none."""

import asyncio
import socket
import ssl

import pytest

from gateway.core.errors import ConfigurationError, DescriptorsError, UpstreamConnectError
from gateway.zoom.tls import default_tls
from gateway.zoom.upstream import HttpUpstream
from gateway.zoom.upstream.dial import parse_origin
from tests.support.descriptors import without_descriptors
from tests.zoom.peer import (
    OK,
    Peer,
    Talk,
    answering,
    eventually,
    get,
    on_every_loop,
    read_and_close,
)

Pair = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.mark.parametrize(
    ("url", "port", "authority"),
    [
        ("https://api.zoom.us", 443, b"api.zoom.us"),
        ("https://api.zoom.us:443/", 443, b"api.zoom.us"),
        ("https://api.zoom.us:8443", 8443, b"api.zoom.us:8443"),
        ("http://localhost", 80, b"localhost"),
        ("http://[::1]:8081", 8081, b"[::1]:8081"),
    ],
)
def test_what_the_url_says(url: str, port: int, authority: bytes) -> None:
    origin = parse_origin(url)
    assert (origin.port, origin.authority) == (port, authority)
    assert (origin.tls is not None) is url.startswith("https")
    assert HttpUpstream(url).host == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.zoom.us",
        "ftp://api.zoom.us",
        "https://",
        "https://api.zoom.us:x",
        "https://api.zoom.us:0",
        "https://api.zoom.us:99999",
        "https://api.zoom.us/v2",
        "https://api.zoom.us?x=y",
        "https://user:password@api.zoom.us",
    ],
)
def test_a_url_that_cannot_be_an_origin(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"upstream\.api_url") as caught:
        HttpUpstream(url)
    assert "password" not in str(caught.value)


def test_certificates_and_names_are_checked_and_old_tls_is_refused() -> None:
    context = default_tls()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@on_every_loop
async def test_calls_over_tls_share_a_connection(tls_pair: Pair) -> None:
    server, client = tls_pair
    async with Peer(answering(OK, OK), tls=server) as peer:
        upstream = HttpUpstream(peer.url, tls=lambda: client)
        for _ in range(2):
            assert await read_and_close(await upstream.send(get())) == b"ok"
        assert (peer.connections, upstream.idle) == (1, 1)
        await upstream.close()


@on_every_loop
async def test_the_end_of_a_tls_connection_ends_a_body_without_a_length(tls_pair: Pair) -> None:
    server, client = tls_pair

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhel", b"lo")
        await talk.hang_up()

    async with Peer(script, tls=server) as peer:
        upstream = HttpUpstream(peer.url, tls=lambda: client)
        assert await read_and_close(await upstream.send(get())) == b"hello"
        await upstream.close()


@on_every_loop
async def test_an_idle_tls_connection_that_the_peer_closes_is_forgotten(tls_pair: Pair) -> None:
    server, client = tls_pair

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(OK)

    async with Peer(script, tls=server) as peer:
        upstream = HttpUpstream(peer.url, tls=lambda: client)
        for number in range(1, 4):
            assert await read_and_close(await upstream.send(get())) == b"ok"
            await eventually(lambda: upstream.idle == 0)
            assert peer.connections == number
        await upstream.close()


@on_every_loop
async def test_a_certificate_that_nobody_vouches_for_is_refused(tls_pair: Pair) -> None:
    async with Peer(answering(OK), tls=tls_pair[0]) as peer:
        upstream = HttpUpstream(peer.url)
        with pytest.raises(UpstreamConnectError, match=r"not trusted: self.signed") as caught:
            await upstream.send(get())
        assert caught.value.__context__ is None
        await upstream.close()


@on_every_loop
async def test_a_certificate_for_another_name_is_refused(tls_pair: Pair) -> None:
    server, client = tls_pair
    async with Peer(answering(OK), tls=server) as peer:
        upstream = HttpUpstream(f"https://127.0.0.2:{peer.port}", tls=lambda: client)
        # Loopback takes the whole of 127/8; the listener is bound to 127.0.0.1 alone.
        with pytest.raises(UpstreamConnectError):
            await upstream.send(get())
        upstream = HttpUpstream(f"https://localhost:{peer.port}", tls=lambda: client)
        assert await read_and_close(await upstream.send(get())) == b"ok"
        await upstream.close()


@on_every_loop
async def test_plain_http_where_tls_is_expected() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.some(1)
        await talk.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url.replace("http", "https"))
        with pytest.raises(UpstreamConnectError, match="no TLS"):
            await upstream.send(get())
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    upstream = HttpUpstream(f"http://127.0.0.1:{port}")
    with pytest.raises(UpstreamConnectError, match=rf"127\.0\.0\.1:{port}: .*refused"):
        await upstream.send(get())
    assert (upstream.idle, upstream.in_use) == (0, 0)
    await upstream.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".invalid"])
@on_every_loop
async def test_a_name_that_does_not_exist(host: str) -> None:
    upstream = HttpUpstream(f"http://{host}")
    with pytest.raises(UpstreamConnectError, match="cannot be reached"):
        await upstream.send(get())
    await upstream.close()


@on_every_loop
async def test_a_peer_that_does_not_finish_the_handshake() -> None:
    """Also: the one that waits is cancelled, and nothing is left of its socket."""

    async def script(talk: Talk, _: int) -> None:
        await talk.closed()

    async with Peer(script) as peer:
        url = peer.url.replace("http", "https")
        upstream = HttpUpstream(url, connect_timeout=0.03)
        with pytest.raises(UpstreamConnectError, match=r"within 0\.03 s"):
            await upstream.send(get())
        patient = HttpUpstream(url)
        call = asyncio.ensure_future(patient.send(get()))
        await eventually(lambda: peer.connections == 2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (patient.idle, patient.in_use) == (0, 0)
        await patient.close()
        await upstream.close()


@on_every_loop
async def test_small_writes_are_not_held_back() -> None:
    async with Peer(answering(OK)) as peer:
        upstream = HttpUpstream(peer.url)
        await read_and_close(await upstream.send(get()))
        sock = upstream._pool._idle[0]._sock
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await upstream.close()


@on_every_loop
async def test_no_file_descriptor_is_free() -> None:
    async with Peer(answering(OK)) as peer:
        upstream = HttpUpstream(peer.url)
        with without_descriptors(), pytest.raises(DescriptorsError, match="Too many open files"):
            await upstream.send(get())
        assert await read_and_close(await upstream.send(get())) == b"ok"
        await upstream.close()
