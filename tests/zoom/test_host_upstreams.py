"""Connections to many hosts: few are kept, and those in hand stay."""

import asyncio

import pytest

from gateway.core.errors import ConfigurationError, UpstreamConnectError
from gateway.zoom.upstream import HttpUpstream
from gateway.zoom.upstream.hosts import HostUpstreams
from tests.zoom.peer import (
    OK,
    Peer,
    Talk,
    answering,
    eventually,
    get,
    on_every_loop,
    read_and_close,
)


@on_every_loop
async def test_each_host_has_connections_of_its_own() -> None:
    made: list[str] = []
    async with Peer(answering(OK, OK)) as peer:

        def make(host: str) -> HttpUpstream:
            made.append(host)
            return HttpUpstream(peer.url)

        hosts = HostUpstreams(make)
        for host in ("zoom.us", "file.zoom.us", "zoom.us", "file.zoom.us"):
            assert await read_and_close(await hosts.at(host).send(get())) == b"ok"
        assert made == ["zoom.us", "file.zoom.us"]
        assert peer.connections == 2
        await hosts.at("zoom.us").close()
        assert len(hosts) == 2
        await hosts.close()


@on_every_loop
async def test_few_are_kept_and_those_used_last() -> None:
    made: list[str] = []
    async with Peer(answering(OK, OK, OK)) as peer:

        def make(host: str) -> HttpUpstream:
            made.append(host)
            return HttpUpstream(peer.url)

        hosts = HostUpstreams(make, most=2)
        for host in ("a", "b", "a", "c", "a", "b"):
            await read_and_close(await hosts.at(host).send(get()))
            assert len(hosts) <= 2
        assert made == ["a", "b", "c", "b"]
        await hosts.close()


@on_every_loop
async def test_what_is_in_hand_stays() -> None:
    gate = asyncio.Event()

    async def slow(talk: Talk, _: int) -> None:
        await talk.head()
        await gate.wait()
        await talk.say(OK)
        await talk.closed()

    async with Peer(slow) as peer:
        hosts = HostUpstreams(lambda _: HttpUpstream(peer.url), most=1)
        waiting = [asyncio.create_task(hosts.at(host).send(get())) for host in "abc"]
        await eventually(lambda: peer.connections == 3)
        assert len(hosts) == 3
        gate.set()
        answers = await asyncio.gather(*waiting)
        assert [await read_and_close(answer) for answer in answers] == [b"ok"] * 3
        await hosts.close()


@on_every_loop
async def test_nothing_is_made_once_all_is_closed() -> None:
    hosts = HostUpstreams(lambda host: HttpUpstream(f"https://{host}"))
    await hosts.close()
    with pytest.raises(UpstreamConnectError, match="shuts down"):
        await hosts.at("zoom.us").send(get())
    assert len(hosts) == 0


@on_every_loop
async def test_a_way_that_cannot_be_made() -> None:
    def make(host: str) -> HttpUpstream:
        raise ConfigurationError([f"HTTPS_PROXY: no way to {host}"])

    hosts = HostUpstreams(make)
    with pytest.raises(UpstreamConnectError, match="HTTPS_PROXY"):
        await hosts.at("zoom.us").send(get())
    await hosts.close()
