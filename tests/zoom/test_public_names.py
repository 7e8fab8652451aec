"""Where a redirect, or a name server, may not lead."""

import asyncio
import socket

import pytest

from gateway.core.errors import UpstreamConnectError
from gateway.zoom.names import Addresses, Names
from gateway.zoom.public import PublicNames
from gateway.zoom.upstream import HttpUpstream
from tests.zoom.peer import Peer, answering, get, on_every_loop

HOST = "us02web.zoom.us"


class Told(Names):
    """Names that stand for what a test says; each lookup takes the next."""

    def __init__(self, *found: list[str]) -> None:
        super().__init__()
        self.found = list(found)
        self.asked = 0

    async def addresses(self, host: str, port: int) -> Addresses:
        del host
        self.asked += 1
        found = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        return [
            one
            for text in found
            for one in socket.getaddrinfo(
                text, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        ]


def nobody(_: str) -> bool:
    return False


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:192.168.0.1"],
        ["fd00::1"],
        ["170.114.52.2", "127.0.0.1"],
        ["2606:4700::1", "fe80::1"],
    ],
)
def test_a_name_that_stands_for_what_is_not_public(found: list[str]) -> None:
    names = PublicNames(Told(found), nobody)
    with pytest.raises(OSError, match="no public address"):
        asyncio.run(names.addresses(HOST, 443))


def test_a_name_that_stands_for_public_addresses() -> None:
    names = PublicNames(Told(["170.114.52.2", "2606:4700::1"]), nobody)
    found = asyncio.run(names.addresses(HOST, 443))
    assert [one[4][0] for one in found] == ["170.114.52.2", "2606:4700::1"]


@on_every_loop
async def test_no_connection_is_made_to_what_is_not_public() -> None:
    async with Peer(answering()) as peer:
        names = PublicNames(Told(["127.0.0.1"]), nobody)
        upstream = HttpUpstream(f"http://{HOST}:{peer.port}", names=names)
        with pytest.raises(UpstreamConnectError, match=r"stands for 127\.0\.0\.1 here"):
            await upstream.send(get())
        assert peer.connections == 0
        await upstream.close()


@on_every_loop
async def test_a_name_that_changes_its_mind_is_looked_up_once_for_each_connection() -> None:
    """DNS rebinding: public when it is asked about, private when it is connected to."""
    async with Peer(answering()) as peer:
        told = Told(["170.114.52.2"], ["127.0.0.1"])
        upstream = HttpUpstream(
            f"http://{HOST}:{peer.port}", names=PublicNames(told, nobody), connect_timeout=0.05
        )
        for _ in range(3):
            with pytest.raises(UpstreamConnectError):
                await upstream.send(get())
        assert (told.asked, peer.connections) == (3, 0)
        await upstream.close()


@on_every_loop
async def test_whom_the_operator_answers_for() -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with Peer(answering(ok)) as peer:
        names = PublicNames(Told(["127.0.0.1"]), lambda host: host == HOST)
        upstream = HttpUpstream(f"http://{HOST}:{peer.port}", names=names)
        answer = await upstream.send(get())
        await answer.close()
        await upstream.close()
