import io
import os
from collections.abc import Iterator
from typing import IO

import pytest

from gateway.observe.fields import Shape
from gateway.observe.sink import BACKLOG, PIECE, Sink


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb", buffering=0) as read,
        os.fdopen(writer, "wb", buffering=0) as write,
    ):
        yield read, write


def test_lines_arrive_whole_and_in_order(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    read, write = pipe
    sink = Sink(write)
    sink.info(b"one")
    sink.error(b"x" * (2 * PIECE))
    sink.warning(b"three")
    assert read.read(100_000) == b"one\n" + b"x" * (2 * PIECE) + b"\nthree\n"


def test_a_reader_that_sleeps_stops_nobody(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    read, write = pipe
    sink = Sink(write)
    line = b"y" * 1000
    for _ in range(500):  # far more than a pipe holds
        sink.msg(line)
    assert sink.lost == 0
    got = b""
    while got.count(b"\n") < 500:
        got += read.read(65536)
        sink.flush()
    assert got == (line + b"\n") * 500


def test_what_is_too_much_is_lost_and_counted(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    _, write = pipe
    sink = Sink(write)
    for _ in range(BACKLOG // 1000 + 300):
        sink.msg(b"z" * 1000)
    assert sink.lost > 0


def test_how_many_were_lost_is_told_once() -> None:
    lost = 0
    shape = Shape(lambda: "now", lambda: lost)
    assert "lines_lost" not in shape(None, "info", {"event": "a"})
    lost = 3
    assert shape(None, "info", {"event": "b"})["lines_lost"] == 3
    assert "lines_lost" not in shape(None, "info", {"event": "c"})


def test_a_closed_pipe_is_swallowed(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    read, write = pipe
    sink = Sink(write)
    read.close()
    sink.msg(b"one")
    sink.msg(b"two")
    assert sink.lost == 2


def test_a_descriptor_that_takes_only_a_part(
    pipe: tuple[IO[bytes], IO[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = pipe
    sink = Sink(write)
    really = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: really(fd, data[:2]))
    sink.msg(b"hello")
    monkeypatch.setattr(os, "write", _never)
    sink.flush()
    monkeypatch.setattr(os, "write", really)
    sink.flush()
    assert read.read(100) == b"hello\n"
    assert sink.lost == 0


def _never(fd: int, data: bytes) -> int:
    del fd, data
    raise BlockingIOError


def test_a_stream_without_a_descriptor_gets_text() -> None:
    stream = io.StringIO()
    sink = Sink(stream)
    sink.msg(b"one")
    sink.flush()
    assert stream.getvalue() == "one\n"
    stream.close()
    sink.msg(b"two")
    assert sink.lost == 1
