"""Real sockets on both sides, and every way in which Zoom or a caller may fail in a call.

After each, nothing is left: no task, no descriptor, no object, no call in hand.
"""

import asyncio
import itertools
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.zoom.upstream import HttpUpstream
from tests.support.leaks import nothing_left
from tests.support.listening import KIB, Listening, listening, until
from tests.support.raw_http import Caller, Heard, request
from tests.support.wrecked_zoom import WreckedZoom, wrecked_zoom
from tests.support.wrecks import Wreck, download

VERSIONS = (b"1.1", b"1.0")

IDLE = 0.3
"""Seconds after which silent Zoom is given up."""


@asynccontextmanager
async def between(idle: float = 10.0) -> AsyncIterator[tuple[Listening, WreckedZoom]]:
    async with nothing_left(), wrecked_zoom() as zoom:
        upstream = HttpUpstream(zoom.url, idle_timeout=idle)
        try:
            async with listening(real_upstream=upstream) as running:
                yield running, zoom
                await until(lambda: running.server.inflight == 0)
                await until(lambda: upstream.in_use == 0)
                zoom.hang_up()
                await until(lambda: zoom.open == 0 and upstream.idle == 0)
        finally:
            await upstream.close()
    assert zoom.violations == []


def asking(
    wreck: Wreck = Wreck.NONE,
    method: bytes = b"GET",
    *,
    body: bytes | None = None,
    version: bytes = b"1.1",
    **asked: object,
) -> bytes:
    query = "&".join(
        [f"nonce=n&wreck={wreck}", *(f"{key}={value}" for key, value in asked.items())]
    )
    return request(f"/v2/x?{query}".encode(), method=method, body=body, version=version)


async def warmed(running: Listening) -> None:
    """A connection to Zoom that carried a call."""
    async with await running.caller() as caller:
        assert (await caller.call(asking())).status == 200


async def cold(zoom: WreckedZoom) -> None:
    """No connection to Zoom."""
    zoom.hang_up()
    await until(lambda: zoom.open == 0)


async def heard_of(running: Listening, data: bytes) -> Heard:
    async with await running.caller() as caller:
        return await caller.call(data)


UNANSWERED = [Wreck.RESET, Wreck.CLOSE, Wreck.HALF, Wreck.HEAD_CUT, Wreck.GARBAGE]


@pytest.mark.parametrize("wreck", UNANSWERED)
async def test_no_answer_is_told_as_such(wreck: Wreck) -> None:
    async with between() as (running, zoom):
        for method, version, reused in itertools.product((b"GET", b"POST"), VERSIONS, (0, 1)):
            if reused:
                await warmed(running)
            else:
                await cold(zoom)
            zoom.acted.clear()
            body = b"x" * 1000 if method == b"POST" else None
            heard = await heard_of(running, asking(wreck, method, body=body, version=version))
            assert (heard.status, heard.slug) == (502, "upstream_broken")
            assert zoom.acted["n"] == (method == b"POST")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_a_reset_while_the_body_is_sent(chunked: bool) -> None:  # noqa: FBT001  a parameter
    async with between() as (running, zoom):
        size = 3000 * KIB
        data = asking(Wreck.RESET_UPLOAD, b"POST", body=b"x" * size)
        if chunked:
            head, _, body = data.partition(b"\r\n\r\n")
            head = head.replace(b"Content-Length: %d" % size, b"Transfer-Encoding: chunked")
            data = b"%b\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (head, size, body)
        heard = await heard_of(running, data)
        assert (heard.status, heard.slug) == (502, "upstream_broken")
        assert zoom.acted["n"] == 0


BROKEN = {
    "length, end": (Wreck.CUT, "length"),
    "length, half end": (Wreck.CUT_HALF, "length"),
    "length, reset": (Wreck.RESET_BODY, "length"),
    "chunks, end": (Wreck.CUT, "chunked"),
    "chunks, half end": (Wreck.CUT_HALF, "chunked"),
    "chunks, reset": (Wreck.RESET_BODY, "chunked"),
    "until the end, reset": (Wreck.RESET_BODY, "close"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_cut_answer_never_looks_complete(name: str) -> None:
    wreck, framing = BROKEN[name]
    async with between() as (running, _):
        for version, size in itertools.product(VERSIONS, (10, 300 * KIB)):
            data = asking(wreck, version=version, framing=framing, size=size)
            heard = await heard_of(running, data)
            if heard.status == 502:  # no byte had left when it broke
                assert heard.slug == "upstream_broken"
            else:
                assert (heard.status, heard.complete) == (200, False)
                assert download("n", size).startswith(heard.body)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_whole_answer_looks_whole(framing: str) -> None:
    async with between() as (running, _):
        for version in VERSIONS:
            data = asking(version=version, framing=framing, size=300 * KIB)
            heard = await heard_of(running, data)
            assert (heard.status, heard.complete) == (200, True)
            assert heard.body == download("n", 300 * KIB)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_page_of_the_front_passes_with_its_retry_after(status: int) -> None:
    async with between() as (running, _):
        heard = await heard_of(running, asking(Wreck.FRONT, b"POST", body=b"x", status=status))
        assert (heard.status, heard.one(b"retry-after")) == (status, b"7")
        assert heard.one(b"content-type") == b"text/html"
        assert b"Bad gateway" in heard.body
        assert heard.values(b"x-zoom-gateway-error") == []


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE"])
async def test_a_connection_that_zoom_closes_just_now_costs_no_call(method: bytes) -> None:
    """It has ended when the call comes, or it ends as the call comes."""
    async with between() as (running, zoom):
        await warmed(running)
        async with await running.caller() as caller:
            heard = await caller.call(asking(Wreck.STALE, method), head=method == b"HEAD")
            assert heard.status == 200
        assert zoom.acted["n"] == (method == b"DELETE")
        zoom.hang_up()
        assert (await heard_of(running, asking())).status == 200
        assert zoom.connections >= 2


@pytest.mark.parametrize("wreck", [Wreck.LEAVE, Wreck.LEAVE_HALF])
async def test_a_connection_that_ends_though_it_was_promised_is_not_used(wreck: Wreck) -> None:
    async with between() as (running, zoom):
        for _ in range(3):
            assert (await heard_of(running, asking(wreck))).status == 200
            await until(lambda: zoom.open == 0)
        body = b"not to be sent twice"
        heard = await heard_of(running, asking(method=b"POST", body=body))
        assert (heard.status, zoom.acted["n"]) == (200, 1)


async def test_silence_ends() -> None:
    async with between(IDLE) as (running, _):
        heard = await heard_of(running, asking(Wreck.SILENT, b"POST", body=b"x"))
        assert (heard.status, heard.slug) == (504, "upstream_timeout")


async def test_a_zoom_that_is_gone_is_told_at_once_and_found_again() -> None:
    async with between() as (running, zoom):
        await zoom.stop()
        heard = await heard_of(running, asking())
        assert (heard.status, heard.slug) == (502, "upstream_connect")
        await zoom.start()
        assert (await heard_of(running, asking())).status == 200


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:{port}", f"http://{'a' * 64}.test", "http://a..test:{port}"]
)
async def test_no_call_sticks_to_a_name_or_a_handshake_that_fails(url: str) -> None:
    """Zoom speaks no TLS here; the others are no names of hosts."""
    async with nothing_left(), wrecked_zoom() as zoom:
        upstream = HttpUpstream(url.format(port=zoom.port), connect_timeout=5)
        async with listening(real_upstream=upstream) as running:
            calls = [heard_of(running, asking(method=b"POST", body=b"x")) for _ in range(20)]
            told = {(heard.status, heard.slug) for heard in await asyncio.gather(*calls)}
            assert told == {(502, "upstream_connect")}
            assert upstream.in_use == 0
        await upstream.close()


def vanish(caller: Caller, *, reset: bool) -> None:
    if reset:
        wire = caller.writer.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.writer.transport.abort()


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
@pytest.mark.parametrize("place", ["head", "waiting", "upload", "download"])
async def test_callers_that_vanish(place: str, reset: bool) -> None:  # noqa: FBT001  a parameter
    data = {
        "head": asking()[:-10],
        "waiting": asking(delay=5),
        "upload": asking(method=b"POST", body=b"x" * 200 * KIB)[: -100 * KIB],
        "download": asking(size=8000 * KIB),
    }[place]
    async with between() as (running, zoom):
        callers = [await running.caller() for _ in range(20)]
        await asyncio.gather(*(caller.send(data) for caller in callers))
        if place == "download":
            assert {(await caller.hear_head()).status for caller in callers} == {200}
        elif place != "head":
            await until(lambda: running.server.inflight == 20 and zoom.calls == 20)
        for caller in callers:
            vanish(caller, reset=reset)
        await until(lambda: running.server.inflight == 0 and not running.connections)
        assert (await heard_of(running, asking())).status == 200
        assert {report.error for report in running.reports.ended} == {""}


async def test_a_caller_that_ends_its_half_has_left() -> None:
    async with between() as (running, zoom):
        async with await running.caller() as caller:
            await caller.send(asking(delay=5))
            await until(lambda: zoom.calls == 1)
            caller.writer.write_eof()
            assert await caller.ended() == b""
        (report,) = await running.reports.get()
        assert report.status == 499
