"""Plays cases of the corpus against the real listener, with a recorder in Zoom's place."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from gateway.zoom.upstream import HttpUpstream
from tests.support.listening import Listening, listening, until
from tests.support.recorder import Recorder, echo
from tests.support.strict_http import Message, read_answers
from tests.web.corpus.case import Case, Sent

AFTER: Final = b"GET /v2/after HTTP/1.1\r\nHost: g\r\n\r\n"
BEFORE: Final = AFTER.replace(b"after", b"before")
TURNS: Final = 3
"""Turns of the loop between two pieces, so that they are read one by one."""
TIMEOUT: Final = 10.0


@dataclass
class Arena:
    running: Listening
    recorder: Recorder
    upstream: HttpUpstream

    async def play(self, case: Case, pieces: Iterable[bytes], *, before: bool = False) -> None:
        """Send `pieces`, which are the case's bytes and the good call behind them."""
        heard = len(self.recorder.requests)
        reader, writer = await asyncio.open_connection(*self.running.address)
        try:
            good = [(b"GET", b"/v2/before", b"")] if before else []
            if before:
                writer.write(BEFORE)
                await until(lambda: len(self.recorder.requests) > heard)
            answers, ended = await _talk(case, reader, writer, pieces, before=before)
        finally:
            writer.transport.abort()
        await until(lambda: self.running.server.inflight == 0 and self.upstream.in_use == 0)
        expected = [*good, *case.sent, *([] if ended else [(b"GET", b"/v2/after", b"")])]
        found = [(*request.start, request.body) for request in self.recorder.requests[heard:]]
        assert found == expected, case.why
        assert self.recorder.faults == []
        assert self.recorder.partial <= case.partial
        _check_answers(case, answers, expected, before=before, ended=ended)


@asynccontextmanager
async def arena(*, early: bool = False) -> AsyncIterator[Arena]:
    host, token = b"api.zoom.test", b"Bearer token-1"
    async with Recorder(host=host, token=token, early=early) as recorder:
        upstream = HttpUpstream(recorder.url, idle_timeout=5)
        try:
            async with listening(real_upstream=upstream) as running:
                yield Arena(running, recorder, upstream)
        finally:
            await upstream.close()


async def _talk(
    case: Case,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    pieces: Iterable[bytes],
    *,
    before: bool,
) -> tuple[Sequence[Message], bool]:
    """Give the answers, and whether the connection ended of itself."""
    methods = [b"GET"] * before + list(case.methods)
    most = before + len(case.answers) + 1
    for piece in pieces:
        writer.write(piece)
        for _ in range(TURNS):
            await asyncio.sleep(0)
    if case.eof:
        writer.write_eof()
    data, ended = b"", False
    async with asyncio.timeout(TIMEOUT):
        while len(read_answers(data, methods, ended=False)[0]) < most and not ended:
            try:
                chunk = await reader.read(65_536)
            except ConnectionResetError:
                chunk = b""
            data, ended = data + chunk, not chunk
        if not ended:
            writer.write_eof()
            data += await reader.read()
    answers, rest = read_answers(data, methods, ended=True)
    assert rest == b"", "a piece of an answer, or one too many"
    return answers, ended


def _check_answers(
    case: Case, answers: Sequence[Message], sent: Sequence[Sent], *, before: bool, ended: bool
) -> None:
    statuses = [answer.status for answer in answers]
    expected = [200] * before + [*case.answers] + [200] * (not ended)
    assert len(statuses) == len(expected), (statuses, expected, case.why)
    for status, wanted in zip(statuses, expected, strict=True):
        assert wanted in (status, status // 100), (statuses, expected, case.why)
    assert case.ends in (ended, None), (statuses, case.why)
    zooms = [answer for answer in answers if answer.status == 200]
    for answer, (method, target, body) in zip(zooms, sent, strict=True):
        assert answer.body == (b"" if method == b"HEAD" else echo(method, target, body))
    for answer in answers:
        (request_id,) = answer.values(b"x-request-id")
        assert request_id.isalnum() or request_id.replace(b"-", b"").isalnum()
        assert bool(answer.values(b"x-zoom-gateway-error")) is (answer.status != 200)
    if ended and answers and not case.eof:
        assert answers[-1].values(b"connection") == [b"close"] or not case.answers
