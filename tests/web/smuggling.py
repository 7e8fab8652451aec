"""Plays cases of the corpus against the real listener, with a recorder in Zoom's place."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from gateway.zoom.upstream import HttpUpstream
from tests.support.listening import Listening, listening, until
from tests.support.recorder import Recorder, echo
from tests.support.strict_http import Message, read_answers
from tests.web.corpus.case import Case, Sent, Status

AFTER: Final = b"GET /v2/after HTTP/1.1\r\nHost: g\r\n\r\n"
BEFORE: Final = AFTER.replace(b"after", b"before")
BEFORE_SENT: Final = (b"GET", b"/v2/before", b"")
TURNS: Final = 3
"""Turns of the loop between two pieces, so that they are read one by one."""
TIMEOUT: Final = 10.0


@dataclass
class Arena:
    running: Listening
    recorder: Recorder
    upstream: HttpUpstream

    async def play(self, case: Case, pieces: Sequence[bytes], *, before: bool = False) -> None:
        """Send `pieces`, which are the case's bytes and the good call behind them."""
        heard, partial = len(self.recorder.requests), self.recorder.partial
        talk = Talk(case, *await asyncio.open_connection(*self.running.address))
        try:
            if before:
                await talk.hear_one(BEFORE)
            await talk.tell(pieces)
            await talk.hear_all()
        finally:
            talk.writer.transport.abort()
        await until(lambda: self.running.server.inflight == 0 and self.upstream.in_use == 0)
        found = [(one.start[0], one.start[1], one.body) for one in self.recorder.requests[heard:]]
        sent = () if case.dropped and len(pieces) == 1 else case.sent
        expected = [*[_good(BEFORE)] * before, *sent, *[_good(AFTER)] * (not talk.ended)]
        assert found == expected, (found, expected, case.why)
        assert self.recorder.faults == []
        # One that broke in the middle of a call is closed, and carries no other.
        await until(lambda: self.recorder.open == self.upstream.idle)
        assert self.recorder.partial - partial <= case.partial
        self._nothing_added(heard, found)
        _check_answers(talk, expected, case.answers[-1:] if sent != case.sent else case.answers)

    def _nothing_added(self, heard: int, found: Sequence[Sent]) -> None:
        """What one call says of itself must not appear in another."""
        for request, sent in zip(self.recorder.requests[heard:], found, strict=True):
            if sent in (_good(BEFORE), _good(AFTER)):
                assert [name for name, _ in request.fields] == [b"Host", b"Authorization"]


def _good(call: bytes) -> Sent:
    method, target, _ = call.split(b" ", 2)
    return method, target, b""


def in_packets(case: Case) -> list[bytes]:
    """A case's bytes and the good call behind them, if the caller itself does not end before.

    In one packet, but for chunks that are right: behind them that ends the connection, too.
    """
    if case.eof or case.last:
        return [case.wire]
    if b"chunked" in case.wire.lower() and not case.ends:
        return [case.wire, AFTER]
    return [case.wire + AFTER]


@asynccontextmanager
async def arena(*, early: bool = False) -> AsyncIterator[Arena]:
    host, token = b"api.zoom.test", b"Bearer token-1"
    async with Recorder(host=host, token=token, early=early) as recorder:
        upstream = HttpUpstream(recorder.url, idle_timeout=30)
        try:
            async with listening(real_upstream=upstream) as running:
                yield Arena(running, recorder, upstream)
        finally:
            await upstream.close()


class Talk:
    """A caller's connection while a case is played. `ended`: the gateway closed it by itself."""

    def __init__(
        self, case: Case, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.case = case
        self.reader = reader
        self.writer = writer
        self.methods: list[bytes] = []
        self.answers: Sequence[Message] = ()
        self.data = b""
        self.ended = False
        self.was_reset = False

    async def hear_one(self, call: bytes) -> None:
        self.methods.append(_good(call)[0])
        self.writer.write(call)
        await self._hear(1)

    async def tell(self, pieces: Sequence[bytes]) -> None:
        self.methods += self.case.methods
        for piece in pieces:
            self.writer.write(piece)
            for _ in range(TURNS):
                await asyncio.sleep(0)
        if self.case.eof:
            self.writer.write_eof()

    async def hear_all(self) -> None:
        """Hear the case's answers, and the good call's or the end."""
        before = len(self.answers)
        await self._hear(before + len(self.case.answers) + 1)
        if not self.ended:
            self.writer.write_eof()
            self.data += await self.reader.read()
        self.answers, rest = read_answers(self.data, self.methods, ended=True)
        assert rest == b"" or self.was_reset, "a piece of an answer, or one too many"

    async def _hear(self, count: int) -> None:
        async with asyncio.timeout(TIMEOUT):
            while len(self.answers) < count and not self.ended:
                try:
                    chunk = await self.reader.read(65_536)
                except ConnectionResetError:
                    chunk, self.was_reset = b"", True
                self.ended = not chunk
                self.data += chunk
                self.answers, _ = read_answers(self.data, self.methods, ended=False)


def _check_answers(talk: Talk, sent: Sequence[Sent], wanted: Sequence[Status]) -> None:
    case, answers = talk.case, talk.answers
    statuses = [answer.status for answer in answers]
    expected = [*[200] * (BEFORE_SENT in sent), *wanted, *[200] * (not talk.ended)]
    assert case.ends in (talk.ended, None), (statuses, case.why)
    if talk.was_reset and case.dropped:
        # Who writes behind its own end may lose the answer: the reset overtakes it.
        expected = expected[: len(statuses)]
    assert len(statuses) == len(expected), (statuses, expected, case.why)
    for status, right in zip(statuses, expected, strict=True):
        assert status == right or (isinstance(right, frozenset) and status in right), (
            statuses,
            expected,
            case.why,
        )
    zooms = [answer for answer in answers if answer.status == 200]
    for answer, (method, target, body) in zip(zooms, sent, strict=False):
        assert answer.body == (b"" if method == b"HEAD" else echo(method, target, body))
    for answer in answers:
        (request_id,) = answer.values(b"x-request-id")
        assert request_id.replace(b"-", b"").isalnum()
        assert bool(answer.values(b"x-zoom-gateway-error")) is (answer.status != 200)
    if talk.ended and answers and not case.eof and not case.partial:
        assert answers[-1].values(b"connection") == [b"close"]
