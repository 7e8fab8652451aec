"""Answers that are at hand as a whole leave as those that come in pieces do."""

import asyncio
from dataclasses import dataclass, field

import pytest

from gateway.core.errors import UpstreamBrokenError
from gateway.core.headers import Field
from gateway.web.answer import Answer
from gateway.web.wire import CallerGoneError


@dataclass
class Paper:
    """As much of a `Wire` as answers need."""

    sent: list[bytes] = field(default_factory=list)
    gone: bool = False
    writing_paused: bool = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def send(self, data: bytes) -> None:
        if self.gone:
            raise CallerGoneError("gone")
        self.sent.append(data)

    post = send


def on(paper: Paper, *, is_head: bool, http11: bool, keep_alive: bool) -> Answer:
    return Answer(paper, is_head=is_head, http11=http11, keep_alive=keep_alive)  # type: ignore[arg-type]  # all it needs


def fields_for(length: int | None) -> list[Field]:
    fields = [(b"Content-Type", b"text/plain"), (b"X-A", b"1"), (b"X-A", b"2")]
    return fields if length is None else [*fields, (b"Content-Length", b"%d" % length)]


@pytest.mark.parametrize("status", [200, 204, 304, 404])
@pytest.mark.parametrize("body", [b"", b"hello"])
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("is_head", [True, False])
@pytest.mark.parametrize("http11", [True, False])
@pytest.mark.parametrize("keep_alive", [True, False])
async def test_one_write_says_what_several_do(
    status: int, body: bytes, *, declared: bool, is_head: bool, http11: bool, keep_alive: bool
) -> None:
    length = len(body) if declared else None
    one, several = Paper(), Paper()
    whole = on(one, is_head=is_head, http11=http11, keep_alive=keep_alive)
    whole.whole(status, b"Reason", fields_for(length), length, body)
    pieces = on(several, is_head=is_head, http11=http11, keep_alive=keep_alive)
    if pieces.begin(status, b"Reason", fields_for(length), length):
        pieces.push(body)
    pieces.end()
    assert one.sent == several.sent
    assert len(one.sent) == 1
    for answer in (whole, pieces):
        assert answer.ended
        assert not answer.retract()
    assert (whole.status, whole.sent, whole.keep_alive) == (
        pieces.status,
        pieces.sent,
        pieces.keep_alive,
    )


@pytest.mark.parametrize(("length", "fault"), [(6, "shorter"), (4, "longer")])
async def test_a_whole_answer_that_contradicts_its_length_is_not_sent(
    length: int, fault: str
) -> None:
    paper = Paper()
    answer = on(paper, is_head=False, http11=True, keep_alive=True)
    with pytest.raises(UpstreamBrokenError, match=fault):
        answer.whole(200, b"OK", fields_for(length), length, b"hello")
    assert paper.sent == []
    assert answer.retract()
    answer.whole(502, b"Bad Gateway", fields_for(2), 2, b"{}")
    assert len(paper.sent) == 1
    assert paper.sent[0].startswith(b"HTTP/1.1 502 Bad Gateway\r\n")


async def test_nobody_is_there_to_take_it() -> None:
    answer = on(Paper(gone=True), is_head=False, http11=True, keep_alive=True)
    with pytest.raises(CallerGoneError):
        answer.whole(200, b"OK", fields_for(5), 5, b"hello")
    assert not answer.ended
