"""A probe asks one harmless question and forgets the answer."""

import pytest

from gateway import __version__
from gateway.core.secret import Secret
from gateway.ports import Probe, Prober
from gateway.zoom.prober import MAX_BODY, TokenProber
from gateway.zoom.upstream import HttpUpstream
from tests.zoom.peer import OK, Peer, Script, Talk, answering, on_every_loop

PROBE = Probe(Secret("canary-token"), b"/v2/users?page_size=1")


class Judge:
    def __init__(self) -> None:
        self.asked: list[tuple[int, bool, bytes, str]] = []

    def __call__(self, status: int, head: bool, body: bytes, encoding: str) -> bool:  # noqa: FBT001
        self.asked.append((status, head, body, encoding))
        return status == 401


async def verdict(script: Script, judge: Judge, *, idle_after: int) -> bool | None:
    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url, idle_timeout=0.1)
        prober: Prober = TokenProber(upstream, b"api.zoom.us", judge)
        said = await prober.probe(PROBE)
        assert (upstream.idle, upstream.in_use) == (idle_after, 0)
        await upstream.close()
        return said


@on_every_loop
async def test_the_question() -> None:
    heard: list[bytes] = []

    async def script(talk: Talk, _: int) -> None:
        heard.append(await talk.head())
        await talk.say(OK)
        await talk.closed()

    assert await verdict(script, Judge(), idle_after=1) is True
    assert heard == [
        b"GET /v2/users?page_size=1 HTTP/1.1\r\nHost: api.zoom.us\r\n"
        + f"User-Agent: zoom-gateway/{__version__}\r\n".encode()
        + b"Accept: application/json\r\nAuthorization: Bearer canary-token\r\n\r\n"
    ]


@pytest.mark.parametrize(("status", "alive"), [(200, True), (404, True), (500, True), (401, False)])
@on_every_loop
async def test_any_answer_but_a_refusal_means_alive(status: int, alive: bool) -> None:  # noqa: FBT001
    judge = Judge()
    wire = b"HTTP/1.1 %d X\r\nContent-encoding: gzip\r\nContent-Length: 2\r\n\r\n{}" % status
    assert await verdict(answering(wire), judge, idle_after=1) is alive
    assert judge.asked == [(status, False, b"{}", "gzip")]


@on_every_loop
async def test_a_long_answer_is_not_read_to_its_end() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", b"x" * 100_000)
        await talk.closed()

    judge = Judge()
    assert await verdict(script, judge, idle_after=0) is True
    assert judge.asked == [(200, False, b"x" * MAX_BODY, "")]


@pytest.mark.parametrize("wire", [b"", OK[:-1], b"no HTTP\r\n\r\n"])
@on_every_loop
async def test_no_answer_proves_nothing(wire: bytes) -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(wire)

    judge = Judge()
    assert await verdict(script, judge, idle_after=0) is None
    assert judge.asked == []


@on_every_loop
async def test_silence_proves_nothing() -> None:
    assert await verdict(answering(b""), Judge(), idle_after=0) is None
