"""A connection that Zoom closed just now costs no call that can be repeated safely."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.zoom.upstream import HttpUpstream
from tests.support.listening import KIB, Listening, listening, until
from tests.support.raw_http import request
from tests.zoom.peer import OK, Peer, Talk

BODY = bytes(range(256)) * 2000
SMALL = BODY[:1000]


class Tired:
    """Every connection serves one call, and hangs up in the middle of the second.

    `heard` has the bodies that came whole.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.heard: list[bytes] = []
        self.methods: list[bytes] = []

    async def script(self, talk: Talk, _: int) -> None:
        for again in (False, True):
            method = (await talk.head()).split(b" ")[0]
            self.methods.append(method)
            if again:
                await talk.some(1)
                return
            if method != b"OPTIONS":
                self.heard.append(await talk.read(self.size))
            await talk.say(OK)


@asynccontextmanager
async def between(zoom: Tired, *, disk_limit: int) -> AsyncIterator[Listening]:
    async with Peer(zoom.script) as peer:
        upstream = HttpUpstream(peer.url)
        try:
            async with listening(real_upstream=upstream, disk_limit=disk_limit) as running:
                async with await running.caller() as caller:
                    heard = await caller.call(request(method=b"OPTIONS"))
                    assert heard.status == 200
                assert upstream.idle == 1
                yield running
                await until(lambda: upstream.in_use == 0)
        finally:
            await upstream.close()


@pytest.mark.parametrize("body", [SMALL, BODY], ids=["small", "large"])
@pytest.mark.parametrize("method", [b"PUT", b"DELETE", b"GET"])
async def test_a_kept_body_is_sent_again_by_a_method_that_may_be(
    method: bytes, body: bytes
) -> None:
    zoom = Tired(len(body))
    async with between(zoom, disk_limit=1024 * KIB) as running, await running.caller() as caller:
        heard = await caller.call(request(method=method, body=body))
        assert (heard.status, heard.body) == (200, b"ok")
        assert zoom.heard == [body]
        assert zoom.methods == [b"OPTIONS", method, method]
        assert running.tokens.refused == []


@pytest.mark.parametrize("method", [b"POST", b"PATCH"])
async def test_what_may_have_acted_is_not_sent_again(method: bytes) -> None:
    zoom = Tired(len(SMALL))
    async with between(zoom, disk_limit=1024 * KIB) as running, await running.caller() as caller:
        heard = await caller.call(request(method=method, body=SMALL))
        assert (heard.status, heard.slug) == (502, "upstream_broken")
        assert zoom.methods == [b"OPTIONS", method]


async def test_a_body_that_was_not_kept_is_not_sent_again() -> None:
    zoom = Tired(len(BODY))
    async with between(zoom, disk_limit=KIB) as running, await running.caller() as caller:
        heard = await caller.call(request(method=b"PUT", body=BODY))
        assert (heard.status, heard.slug) == (502, "upstream_broken")
        assert zoom.methods == [b"OPTIONS", b"PUT"]


async def test_a_body_that_still_comes_goes_on_behind_what_was_kept() -> None:
    zoom = Tired(len(SMALL))
    async with between(zoom, disk_limit=1024 * KIB) as running, await running.caller() as caller:
        whole = request(method=b"PUT", body=SMALL)
        await caller.send(whole[:-500])
        await until(lambda: zoom.methods.count(b"PUT") == 2)
        await caller.send(whole[-500:])
        assert (await caller.hear()).status == 200
        assert zoom.heard == [SMALL]


async def test_it_is_sent_again_once() -> None:
    calls = 0

    async def script(talk: Talk, _: int) -> None:
        nonlocal calls
        await talk.head()
        calls += 1
        if calls == 1:
            await talk.say(OK)
            await talk.head()
            calls += 1

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        async with listening(real_upstream=upstream) as running, await running.caller() as caller:
            assert (await caller.call(request())).status == 200
            async with asyncio.timeout(5):
                heard = await caller.call(request(method=b"PUT", body=b"x"))
            assert (heard.status, heard.slug) == (502, "upstream_broken")
        assert calls == 3
        await upstream.close()
