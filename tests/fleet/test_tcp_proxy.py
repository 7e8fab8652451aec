"""The proxy does to connections what the scenarios say that it does."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.support.tcp_proxy import TcpProxy, tcp_proxy

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """In front of a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, tcp_proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as made:
        yield made


async def connected(proxy: TcpProxy) -> Wire:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def echoed(wire: Wire, data: bytes, seconds: float = 5.0) -> bytes:
    """What came back; raises TimeoutError if that is nothing."""
    wire[1].write(data)
    return await asyncio.wait_for(wire[0].read(len(data)), seconds)


async def test_bytes_go_both_ways_each_with_its_delay(proxy: TcpProxy) -> None:
    proxy.delay["up"], proxy.delay["down"] = 0.1, 0.2
    wire = await connected(proxy)
    begun = time.monotonic()
    assert await echoed(wire, b"hello") == b"hello"
    assert time.monotonic() - begun >= 0.3
    wire[1].close()


async def test_what_is_held_arrives_when_it_is_released(proxy: TcpProxy) -> None:
    held, other = await connected(proxy), await connected(proxy)
    hold = proxy.hold(b"publish")
    assert await echoed(held, b"now pub") == b"now pub"
    with pytest.raises(TimeoutError):
        await echoed(held, b"lish it", 0.1)
    await asyncio.wait_for(hold.reached.wait(), 5)
    assert await echoed(other, b"publish too") == b"publish too"
    hold.release()
    assert await asyncio.wait_for(held[0].read(7), 5) == b"lish it"
    held[1].close()
    other[1].close()


async def test_what_is_dropped_never_arrives(proxy: TcpProxy) -> None:
    wire = await connected(proxy)
    hold = proxy.hold(b"publish", "down")
    wire[1].write(b"publish")
    await asyncio.wait_for(hold.reached.wait(), 5)
    hold.drop()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(wire[0].read(7), 5)


async def test_a_cut_resets_and_refuses_until_it_is_healed(proxy: TcpProxy) -> None:
    wire = await connected(proxy)
    assert await echoed(wire, b"hello") == b"hello"
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(wire[0].read(1), 5)
    with pytest.raises(ConnectionRefusedError):
        await connected(proxy)
    await proxy.heal()
    again = await connected(proxy)
    assert await echoed(again, b"hello") == b"hello"
    again[1].close()


async def test_a_black_hole_takes_all_and_gives_nothing_until_it_is_healed(
    proxy: TcpProxy,
) -> None:
    proxy.blackhole()
    wire = await connected(proxy)
    with pytest.raises(TimeoutError):
        await echoed(wire, b"hello", 0.1)
    await proxy.heal()
    assert await asyncio.wait_for(wire[0].read(5), 5) == b"hello"
    wire[1].close()
