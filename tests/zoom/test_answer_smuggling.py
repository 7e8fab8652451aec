"""No byte of one answer is heard by another caller, and no broken answer looks whole."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from gateway.zoom.upstream import HttpUpstream
from tests.support.listening import Listening, listening, until
from tests.support.raw_http import Caller, Heard, request
from tests.zoom.corpus import ANSWERS, EVIL, Answer
from tests.zoom.peer import Peer, Talk

PRIVATE = (b"set-cookie", b"set-cookie2", b"x", b"keep-alive", b"upgrade", b"trailer", b"x-trailer")


@dataclass
class Zoom:
    """Answers `/v2/evil` with the case, in pieces of `pace` bytes (0: one), else with an echo."""

    case: Answer
    pace: int
    calls: list[tuple[int, bytes]] = field(default_factory=list)
    """The connection's number and the target of each call."""

    async def script(self, talk: Talk, number: int) -> None:
        with contextlib.suppress(ConnectionError):  # a broken answer is not heard to its end
            await self._serve(talk, number)

    async def _serve(self, talk: Talk, number: int) -> None:
        while True:
            target = (await talk.head()).split(b" ")[1]
            self.calls.append((number, target))
            if target != b"/v2/evil":
                await talk.say(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(target), target
                )
                continue
            await self._say(talk)
            if self.case.then == "resets":
                await talk.reset()
            if self.case.then in ("closes", "resets"):
                return

    async def _say(self, talk: Talk) -> None:
        wire, pace = self.case.wire, self.pace or 1 << 20
        for start in range(0, len(wire), pace):
            await talk.say(wire[start : start + pace])
            await asyncio.sleep(0)


@asynccontextmanager
async def between(zoom: Zoom) -> AsyncIterator[Listening]:
    async with Peer(zoom.script) as peer:
        upstream = HttpUpstream(peer.url, idle_timeout=1 if zoom.case.then == "waits" else 30)
        try:
            async with listening(real_upstream=upstream) as running:
                yield running
                await until(lambda: upstream.in_use == 0)
        finally:
            await upstream.close()


async def evil(running: Listening, method: bytes) -> Heard | None:
    """What a caller hears of the case; None: the connection was cut before a head."""
    async with await running.caller() as caller:
        await caller.send(request(b"/v2/evil", method=method))
        try:
            return await caller.hear(head=method == b"HEAD")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return None


async def good(caller: Caller, target: bytes) -> None:
    heard = await caller.call(request(target))
    assert (heard.status, heard.body) == (200, target)
    assert {name.lower() for name, _ in heard.headers} == {b"content-length", b"x-request-id"}


@pytest.mark.parametrize("pace", [0, 1])
@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.name)
async def test_an_answer_is_what_its_framing_says_or_broken(case: Answer, pace: int) -> None:
    if pace and len(case.wire) > 500:
        pace = 40_000
    zoom = Zoom(case, pace)
    async with between(zoom) as running, await running.caller() as other:
        await good(other, b"/v2/before")
        heard = await evil(running, case.method)
        for number in range(3):
            await good(other, b"/v2/after/%d" % number)
        if case.body is None:
            # What came behind its end was not there yet when the caller had it all.
            had_all = case.late and pace and heard is not None and heard.body == b"hello"
            cut = heard is None or heard.status in (502, 504) or not heard.complete
            assert cut or had_all, case.why
        else:
            assert heard is not None, case.why
            assert (heard.status, heard.body, heard.complete) == (case.status, case.body, True)
            assert not [name for name, _ in heard.headers if name.lower() in PRIVATE]
        assert heard is None or EVIL[-7:] not in heard.body
    kept = [number for number, target in zoom.calls if target == b"/v2/after/0"] == [1]
    assert case.reuse in (kept, None), case.why
