"""The listener, the real transport and a simulated Zoom: one wire from end to end."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from gateway.core.endpoint import Endpoint
from gateway.core.secret import Secret
from gateway.core.token import Token
from gateway.core.verdict import decode_body
from gateway.reports import ReplayOutcome
from gateway.sim import SimClient, SimConfig, Simulator
from gateway.zoom.upstream import HttpUpstream
from tests.support.listening import KIB, Listening, listening, until
from tests.support.raw_http import Heard, request
from tests.support.scripted_tokens import ScriptedCall, ScriptedTokens, token


class SimulatedTokens(ScriptedTokens):
    """Mints at the simulator when a token is refused."""

    def __init__(self, zoom: SimClient) -> None:
        super().__init__()
        self.zoom = zoom
        self.held: list[Token] = []

    def call(self, endpoint: Endpoint) -> ScriptedCall:  # noqa: ARG002  the port's
        return _Call(self)

    async def minted(self, generation: int) -> Token:
        while len(self.held) < generation:
            reply = await self.zoom.token_request()
            body = decode_body(reply.headers.get("Content-Encoding", "").encode(), reply.body)
            value = Secret(json.loads(body)["access_token"])
            self.held.append(replace(token(len(self.held) + 1), value=value))
        return self.held[generation - 1]


class _Call(ScriptedCall):
    def __init__(self, tokens: SimulatedTokens) -> None:
        super().__init__(tokens)
        self._simulated = tokens

    async def first(self) -> Token:
        return await self._simulated.minted((await super().first()).generation)

    async def better(self, refused: Token, *, expired: bool = False) -> Token | None:
        del expired
        chosen = await super().better(refused)
        return None if chosen is None else await self._simulated.minted(chosen.generation)


@dataclass
class Wired:
    running: Listening
    sim: Simulator
    zoom: SimClient

    async def call(self, data: bytes, *, head: bool = False) -> Heard:
        async with await self.running.caller() as caller:
            return await caller.call(data, head=head)

    def last(self) -> dict[str, object]:
        return self.sim.control.requests(1)[0]


@asynccontextmanager
async def wired() -> AsyncIterator[Wired]:
    async with Simulator(SimConfig()) as sim, SimClient(sim.url) as zoom:
        upstream = HttpUpstream(sim.url, idle_timeout=5)
        try:
            tokens = SimulatedTokens(zoom)
            async with listening(tokens=tokens, real_upstream=upstream) as running:
                yield Wired(running, sim, zoom)
                await until(lambda: running.server.inflight == 0)
            assert upstream.in_use == 0
        finally:
            await upstream.close()
        state = sim.control.state()
        assert (state["violations"], state["acted_twice"]) == ([], [])


REFUSALS = [
    {},
    {"status": 400, "code": 124},
    {"form": "html"},
    {"form": "empty"},
    {"variant": "mail"},
    {"variant": "chat-files"},
    {"variant": "iq"},
]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("compress", [None, "gzip", "deflate"])
async def test_a_killed_token_is_replaced_unseen(
    refusal: dict[str, object], compress: str | None
) -> None:
    async with wired() as wire:
        assert (await wire.call(request())).status == 200
        await wire.zoom.faults(refusal=refusal, compress=compress)
        wire.sim.control.kill()
        assert (await wire.call(request())).status == 200
        assert wire.running.tokens.refused == [1]


SIZES = [1, 60 * KIB, 65 * KIB, 900 * KIB]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("drain", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_refused_upload_acts_once_with_every_byte(
    size: int,
    early: bool,  # noqa: FBT001
    drain: bool,  # noqa: FBT001
    chunked: bool,  # noqa: FBT001
) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    fields = [b"X-Operation-Id: one", b"Content-Type: application/octet-stream"]
    if chunked:
        head = request(b"/v2/_sim/upload", *fields, b"Transfer-Encoding: chunked", method=b"POST")
        data = head + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
    else:
        data = request(b"/v2/_sim/upload", *fields, method=b"POST", body=body)
    async with wired() as wire:
        assert (await wire.call(request())).status == 200
        await wire.zoom.faults(refuse_early=early, drain=drain)
        wire.sim.control.kill()
        heard = await wire.call(data)
        assert heard.status in (200, 201)
        assert wire.last()["body_sha256"] == hashlib.sha256(body).hexdigest()
        report = (await wire.running.reports.get(2))[1]
        assert (report.replays, report.outcome) == (1, ReplayOutcome.RECOVERED)


async def test_targets_reach_the_wire_byte_for_byte() -> None:
    async with wired() as wire:
        for target in (
            b"/v2/past_meetings/%252Fa%252Fb%253D%253D",
            b"/v2/meetings/%2fabc%3D%3D",
            b"/v2/users?",
            b"/v2/users?next_page_token=",
            b"/v2/users/?page_size=30&",
            b"/v2//users",
            b"/v2/users/a+b@example.com;x",
        ):
            await wire.call(request(target))
            assert wire.last()["target"] == target.decode()


async def test_head_answers_without_a_body() -> None:
    async with wired() as wire:
        wire.sim.control.kill()
        heard = await wire.call(request(method=b"HEAD"), head=True)
        assert (heard.status, heard.body) == (200, b"")


async def test_compressed_answers_go_through_as_they_are() -> None:
    async with wired() as wire:
        await wire.zoom.faults(compress="gzip")
        heard = await wire.call(request(b"/v2/users/me", b"Accept-Encoding: gzip"))
        assert heard.one(b"content-encoding") == b"gzip"
        assert heard.body.startswith(b"\x1f\x8b")


async def test_cookies_stop_both_ways() -> None:
    async with wired() as wire:
        await wire.zoom.faults(set_cookie=True)
        heard = await wire.call(request(b"/v2/users/me", b"Cookie: zm_aid=1"))
        assert heard.values(b"set-cookie") == []


@pytest.mark.parametrize("cut", ["length", "chunked"])
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_an_answer_cut_by_zoom_never_looks_complete(cut: str, version: bytes) -> None:
    async with wired() as wire:
        await wire.zoom.faults(cut_body=cut)
        async with await wire.running.caller() as caller:
            await caller.send(request(b"/v2/users", version=version))
            try:
                heard = await caller.hear()
            except (asyncio.IncompleteReadError, ConnectionResetError):
                return  # cut before its head had left
            assert heard.status == 502 or not heard.complete


async def test_a_dropped_connection_is_zooms_fault() -> None:
    async with wired() as wire:
        assert (await wire.call(request())).status == 200
        await wire.zoom.faults(drop="before_headers")
        heard = await wire.call(request(b"/v2/users/me/meetings", method=b"POST", body=b"{}"))
        assert (heard.status, heard.slug) == (502, "upstream_broken")


async def test_a_download_streams() -> None:
    async with wired() as wire:
        heard = await wire.call(request(b"/v2/_sim/download?size=3000000"))
        assert (heard.status, len(heard.body)) == (200, 3_000_000)


async def test_nobody_there() -> None:
    async with wired() as wire:
        assert (await wire.call(request())).status == 200
        await wire.sim.stop()
        heard = await wire.call(request(method=b"POST", body=b"x"))
        assert (heard.status, heard.slug) == (502, "upstream_connect")


async def test_a_body_beyond_every_limit_still_streams() -> None:
    body = b"x" * 3000 * KIB
    async with wired() as wire:
        assert (await wire.call(request())).status == 200
        await wire.call(request(b"/v2/_sim/upload", method=b"POST", body=body))
        assert wire.last()["body_sha256"] == hashlib.sha256(body).hexdigest()
        wire.sim.control.kill()
        heard = await wire.call(request(b"/v2/_sim/upload", method=b"POST", body=body))
        assert heard.status == 401
        await until(lambda: wire.running.tokens.refused == [1])
