"""The token endpoint's client: what goes out, what is repeated, and what is never repeated."""

import asyncio
import base64
import re
import socket
import ssl
import traceback
from collections.abc import Callable
from urllib.parse import parse_qs

import pytest

from gateway.core.credentials import AppCredentials
from gateway.core.errors import ConfigurationError, MintError, MintFailure
from gateway.core.secret import Secret
from gateway.core.token import SlotId
from gateway.ports import Minter
from gateway.zoom.mint_faults import Sending
from gateway.zoom.minter import TokenEndpoint
from tests.zoom.peer import Peer, Talk, on_every_loop

SECRET, OLD = "canary-new-secret", "canary-old-secret"
GOOD = b'{"access_token":"canary-token","token_type":"bearer","expires_in":3599,"scope":"a b"}'
BAD_CLIENT = b'{"reason":"Invalid client_id or client_secret","error":"invalid_client"}'
SLOT = SlotId("main", 0)

Answer = bytes | Callable[[Talk], object]


def http(status: int, body: bytes = b"", *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, lines, len(body), body)


class Endpoint:
    """Gives its answers one after the other, one a connection; None hangs up."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[bytes] = []
        self.forms: list[dict[str, list[str]]] = []

    async def __call__(self, talk: Talk, _: int) -> None:
        head = await talk.head()
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        self.heads.append(head)
        self.forms.append(parse_qs((await talk.read(length)).decode()))
        answer = self.answers.pop(0)
        if answer is not None:
            await talk.say(answer)

    def secrets(self) -> list[str]:
        pairs = [head.partition(b"Basic ")[2].split(b"\r\n")[0] for head in self.heads]
        return [base64.b64decode(pair).decode().partition(":")[2] for pair in pairs]


def credentials(previous: str | None = None) -> AppCredentials:
    return AppCredentials("client", Secret(SECRET), Secret(previous) if previous else None)


def minter(url: str, previous: str | None = None, timeout: float = 3.0) -> TokenEndpoint:
    return TokenEndpoint(
        f"{url}/oauth/token",
        "account",
        {"main": lambda: credentials(previous)},
        connect_timeout=timeout,
    )


async def failed(endpoint: TokenEndpoint, slot: SlotId = SLOT) -> MintError:
    with pytest.raises(MintError) as caught:
        await endpoint.mint(slot)
    await endpoint.close()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "canary" not in shown
    assert caught.value.__context__ is None or isinstance(caught.value.__context__, MintError)
    return caught.value


@on_every_loop
async def test_a_mint() -> None:
    zoom = Endpoint(http(200, GOOD), http(200, GOOD))
    async with Peer(zoom) as peer:
        endpoint: Minter = minter(peer.url)
        grant = await endpoint.mint(SLOT)
        assert (grant.value.reveal(), grant.lifetime) == ("canary-token", 3599)
        assert (grant.scope, grant.previous_secret) == ("a b", False)
        await endpoint.mint(SlotId("main", 2))
        assert isinstance(endpoint, TokenEndpoint)
        await endpoint.close()
        await endpoint.close()
    assert zoom.heads[0].startswith(b"POST /oauth/token HTTP/1.1\r\n")
    assert b"\r\nUser-Agent: zoom-gateway/" in zoom.heads[0]
    assert zoom.secrets() == [SECRET, SECRET]
    form = {"grant_type": ["account_credentials"], "account_id": ["account"]}
    assert zoom.forms == [form, form | {"token_index": ["2"]}]


@on_every_loop
async def test_credentials_are_read_afresh_for_every_mint() -> None:
    zoom = Endpoint(http(400, BAD_CLIENT), http(200, GOOD))
    current = credentials()
    async with Peer(zoom) as peer:
        endpoint = TokenEndpoint(f"{peer.url}/oauth/token", "account", {"main": lambda: current})
        with pytest.raises(MintError):
            await endpoint.mint(SLOT)
        current = AppCredentials("client", Secret("rotated"))
        await endpoint.mint(SLOT)
        await endpoint.close()
    assert zoom.secrets() == [SECRET, "rotated"]


@on_every_loop
async def test_the_previous_secret_is_tried_in_the_same_mint() -> None:
    zoom = Endpoint(http(400, BAD_CLIENT), http(200, GOOD))
    async with Peer(zoom) as peer:
        endpoint = minter(peer.url, previous=OLD)
        assert (await endpoint.mint(SLOT)).previous_secret
        await endpoint.close()
    assert zoom.secrets() == [SECRET, OLD]


@on_every_loop
async def test_both_secrets_refused_is_the_first_refusal() -> None:
    again = BAD_CLIENT.replace(b"Invalid client_id", b"Again client_id")
    zoom = Endpoint(http(400, BAD_CLIENT), http(401, again))
    async with Peer(zoom) as peer:
        error = await failed(minter(peer.url, previous=OLD))
    assert error.failure is MintFailure.INVALID_CLIENT
    assert "Invalid client_id" in str(error)


@on_every_loop
async def test_the_previous_secret_meets_another_failure() -> None:
    """The client is known, so what is wrong now is what the operator should hear of."""
    zoom = Endpoint(http(400, BAD_CLIENT), http(500))
    async with Peer(zoom) as peer:
        error = await failed(minter(peer.url, previous=OLD))
    assert error.failure is MintFailure.SERVER_ERROR


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (http(400, b'{"reason":"Bad request","error":"x"}'), MintFailure.INVALID_ACCOUNT),
        (http(302, b"", b"Location: /elsewhere"), MintFailure.REFUSED),
        (http(429, b"", b"Retry-After: 7"), MintFailure.RATE_LIMITED),
        (http(500), MintFailure.SERVER_ERROR),
        (http(503, b"", b"Retry-After: 7"), MintFailure.SERVER_ERROR),
        (http(200, b"<html>"), MintFailure.SERVER_ERROR),
        (http(200, b"{}"), MintFailure.MALFORMED),
        (http(200, GOOD[:-1] + b" " * 70_000 + b"}"), MintFailure.MALFORMED),
        (http(200, GOOD)[:-5], MintFailure.BROKEN),
        (b"SSH-2.0\r\n\r\n", MintFailure.BROKEN),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", MintFailure.BROKEN),
        (None, MintFailure.BROKEN),
    ],
)
@on_every_loop
async def test_what_is_asked_once_only(answer: bytes | None, expected: MintFailure) -> None:
    zoom = Endpoint(answer)
    async with Peer(zoom) as peer:
        error = await failed(minter(peer.url, previous=OLD))
    assert error.failure is expected
    assert error.retry_after == (7 if answer and b"Retry-After" in answer else None)
    assert len(zoom.heads) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
@on_every_loop
async def test_a_momentary_fault_of_the_front_is_passed_over(status: int) -> None:
    zoom = Endpoint(http(status), http(200, GOOD))
    async with Peer(zoom) as peer:
        endpoint = minter(peer.url)
        await endpoint.mint(SLOT)
        await endpoint.close()
    assert len(zoom.heads) == 2


@on_every_loop
async def test_a_lasting_fault_of_the_front_is_asked_twice_only() -> None:
    zoom = Endpoint(http(503), http(502))
    async with Peer(zoom) as peer:
        error = await failed(minter(peer.url))
    assert error.failure is MintFailure.SERVER_ERROR
    assert "502" in str(error)


@on_every_loop
async def test_a_refused_connection_is_tried_again() -> None:
    """Nobody listens at first."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = await failed(minter(f"http://127.0.0.1:{port}"))
    assert error.failure is MintFailure.CONNECTION
    assert "Connection refused" in str(error)

    endpoint = minter(f"http://127.0.0.1:{port}")
    minting = asyncio.ensure_future(endpoint.mint(SLOT))
    await asyncio.sleep(0.05)
    zoom = Endpoint(http(200, GOOD))
    peer = Peer(zoom)
    server = await asyncio.start_server(peer._serve, "127.0.0.1", port)
    assert (await minting).lifetime == 3599
    server.close()
    await endpoint.close()


@on_every_loop
async def test_a_name_that_does_not_exist() -> None:
    error = await failed(minter("http://no-such-host.invalid"))
    assert error.failure is MintFailure.CONNECTION
    # A machine without a network may wait for its name server in vain.
    assert re.search("its name has no address here: .|No connection .* within", str(error))


@on_every_loop
async def test_a_url_that_is_none() -> None:
    assert (await failed(minter("http://["))).failure is MintFailure.CONNECTION


@on_every_loop
async def test_a_handshake_that_does_not_end() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.closed()

    async with Peer(script) as peer:
        error = await failed(minter(peer.url.replace("http", "https"), timeout=0.05))
        assert peer.connections == 1
    assert error.failure is MintFailure.CONNECTION
    assert "within 0.05 s" in str(error)


@on_every_loop
async def test_certificates_are_checked(tls_pair: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = tls_pair
    async with Peer(Endpoint(http(200, GOOD)), tls=server) as peer:
        error = await failed(minter(peer.url))
        assert error.failure is MintFailure.CONNECTION
        assert "certificate is not trusted" in str(error)
        endpoint = TokenEndpoint(peer.url, "account", {"main": credentials}, tls=lambda: client)
        assert (await endpoint.mint(SLOT)).lifetime == 3599
        await endpoint.close()


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (ConfigurationError(["accounts.x: no file"]), "accounts.x: no file"),
        (FileNotFoundError(2, "gone", "/run/x"), "No such file"),
    ],
)
@on_every_loop
async def test_credentials_that_cannot_be_read(problem: Exception, words: str) -> None:
    def read() -> AppCredentials:
        raise problem

    error = await failed(TokenEndpoint("http://127.0.0.1:1", "account", {"main": read}))
    assert error.failure is MintFailure.INVALID_CLIENT
    assert words in str(error)


@on_every_loop
async def test_an_app_that_is_not_configured() -> None:
    error = await failed(TokenEndpoint("http://127.0.0.1:1", "account", {}))
    assert "app 'main'" in str(error)


@on_every_loop
async def test_a_mint_that_is_cancelled_leaves_nothing() -> None:
    heard, left = asyncio.Event(), asyncio.Event()

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        heard.set()
        await talk.closed()
        left.set()

    async with Peer(script) as peer:
        endpoint = minter(peer.url)
        minting = asyncio.ensure_future(endpoint.mint(SLOT))
        await heard.wait()
        minting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await minting
        await left.wait()
        await endpoint.close()


@on_every_loop
async def test_a_silent_endpoint_is_a_timeout_only_if_a_socket_says_so() -> None:
    sending = Sending(None, 3.0, sent=True)
    error = sending.explain(TimeoutError("canary"))
    assert error.failure is MintFailure.TIMEOUT
    assert "canary" not in str(error)
