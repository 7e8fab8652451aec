"""A call's line is put together by hand; here it is held to what the long way makes of it."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ratelimit import Kind, Limited
from gateway.core.trace import CallTrace, TraceContext
from gateway.observe.call_line import expand, json_line
from gateway.observe.fields import LONGEST, Shape
from gateway.observe.logs import Json, Stamp
from gateway.observe.sink import GATHER, PIECE, Sink
from gateway.reports import CallReport, ReplayOutcome, Throttling
from tests.support.processes import eventually

TEXT = st.text(max_size=30) | st.just("é" * (LONGEST + 1))
SECONDS = st.floats(0, 1e6)
COUNT = st.integers(0, 2**40)
TRACE = CallTrace(
    TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
)

LIMITED = Limited("light", Kind.PER_SECOND, None)

REPORTS = st.builds(
    CallReport,
    request_id=st.text(max_size=20),
    caller=st.text(max_size=20),
    account=st.text(max_size=20),
    method=st.sampled_from(["GET", "other"]),
    route=st.text(max_size=20),
    status=st.integers(100, 599),
    duration=SECONDS,
    upstream_duration=SECONDS,
    token_wait=SECONDS,
    pace_wait=st.sampled_from([0.0, 0.00001, 1.25]),
    generation=COUNT,
    replays=st.integers(0, 2),
    outcome=st.sampled_from([None, *ReplayOutcome]),
    bytes_in=COUNT,
    bytes_out=COUNT,
    tracking_id=TEXT,
    error=TEXT,
    denied=TEXT,
    rule=TEXT,
    reason=TEXT,
    caller_name=TEXT,
    host=TEXT,
    trace=st.sampled_from([None, TRACE]),
    key=TEXT,
    throttling=st.sampled_from([None, Throttling([LIMITED]), Throttling([LIMITED] * 2, 1)]),
)


@given(REPORTS, st.sampled_from(["info", "warning"]), st.sampled_from([None, 0.25]))
def test_both_ways_give_the_same_line(report: CallReport, level: str, rate: float | None) -> None:
    fields = {"event": "call", "call": report}
    if rate is not None:
        fields["sample_rate"] = rate
    shape = Shape(lambda: "now", lambda: 0)
    long_way = shape(None, level, expand(None, level, dict(fields)))
    quick = json_line("now", level, report, rate)
    assert quick == json.dumps(long_way, separators=(",", ":")).encode()


def test_a_limited_call_says_which_limit_it_was() -> None:
    report = CallReport("id", "10.1.4.17", "default", "GET", "/v2/users", 200, key="crm")
    report.throttling = Throttling([LIMITED, LIMITED._replace(kind=Kind.DAILY)], retries=1)
    told = json.loads(json_line("now", "info", report, None))
    names = ("key_name", "rate_limit", "rate_category", "rate_retries")
    assert [told[name] for name in names] == ["crm", "daily", "light", 1]


def test_a_paced_call_says_how_long_it_waited() -> None:
    report = CallReport("id", "10.1.4.17", "default", "GET", "/v2/users", 200)
    assert "pace_wait_ms" not in json.loads(json_line("now", "info", report, None))
    report.pace_wait = 0.42
    assert json.loads(json_line("now", "info", report, None))["pace_wait_ms"] == 420.0


def test_a_call_tells_of_lines_that_were_lost() -> None:
    lost = 0
    render = Json(Shape(lambda: "now", lambda: lost))
    report = CallReport("id", "10.1.4.17", "default", "GET", "/v2/users", 200)

    def line() -> dict[str, object]:
        told = json.loads(render.of_call("info", report, None))
        assert isinstance(told, dict)
        return told

    assert "lines_lost" not in line()
    lost = 3
    assert line()["lines_lost"] == 3
    assert "lines_lost" not in line()


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_800_000_000.123, "2027-01-15T08:00:00.123Z"),
        (1_800_000_000.9999999, "2027-01-15T08:00:01.000Z"),
        (1_800_000_000.9994, "2027-01-15T08:00:00.999Z"),
    ],
)
def test_the_time(wall: float, text: str) -> None:
    stamp = Stamp(lambda: wall)
    assert stamp() == text
    assert stamp() == text


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb", buffering=0) as read,
        os.fdopen(writer, "wb", buffering=0) as write,
    ):
        os.set_blocking(reader, False)
        yield read, write


async def test_lines_without_urgency_go_out_together_and_soon(
    pipe: tuple[IO[bytes], IO[bytes]],
) -> None:
    read, write = pipe
    sink = Sink(write)
    sink.info(b"one")
    sink.info(b"two")
    assert read.read(100) is None
    assert GATHER <= 0.1
    assert await eventually(lambda: read.read(100), "the lines") == b"one\ntwo\n"
    sink.info(b"three")
    assert await eventually(lambda: read.read(100), "the line") == b"three\n"


async def test_a_warning_waits_for_nobody_and_keeps_the_order(
    pipe: tuple[IO[bytes], IO[bytes]],
) -> None:
    read, write = pipe
    sink = Sink(write)
    sink.info(b"one")
    sink.warning(b"two")
    assert read.read(100) == b"one\ntwo\n"
    sink.info(b"x" * (PIECE - 2))
    sink.info(b"y")  # that fills what is written at once
    assert read.read(2 * PIECE) == b"x" * (PIECE - 2) + b"\ny\n"
    await asyncio.sleep(0)


async def test_other_threads_wait_for_nobody(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    read, write = pipe
    sink = Sink(write)
    thread = threading.Thread(target=sink.info, args=(b"one",))
    thread.start()
    await asyncio.to_thread(thread.join)
    assert read.read(100) == b"one\n"
