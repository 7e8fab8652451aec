"""Names are looked up by a resolver that may hang."""

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from gateway.zoom import names as names_module
from gateway.zoom.names import MOST, Names
from tests.support.processes import DEADLINE, environment, eventually

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 443))]


class Resolver:
    """Hangs while it is told to, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.well = threading.Event()

    def getaddrinfo(self, *_: object, **__: object) -> object:
        self.asked += 1
        self.well.wait(DEADLINE)
        if self.error is not None:
            raise self.error
        return FOUND


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    yield made
    made.well.set()


async def test_who_asks_at_the_same_time_shares_a_lookup(resolver: Resolver) -> None:
    names = Names()
    asking = [asyncio.create_task(names.addresses("api.zoom.test", 443)) for _ in range(50)]
    await eventually(lambda: resolver.asked, "a lookup")
    for one in asking[:10]:
        one.cancel()
    resolver.well.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert found[10:] == [FOUND] * 40
    assert resolver.asked == 1
    # Nothing is remembered: the resolver itself knows for how long.
    assert await names.addresses("api.zoom.test", 443) == FOUND
    assert resolver.asked == 2


async def test_what_is_not_known_is_told_to_all_who_ask(resolver: Resolver) -> None:
    resolver.error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    names = Names()
    asking = [asyncio.create_task(names.addresses("nobody.test", 443)) for _ in range(3)]
    await eventually(lambda: resolver.asked, "a lookup")
    resolver.well.set()
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(one) for one in told} == {socket.gaierror}
    resolver.error = UnicodeError("label too long")
    with pytest.raises(UnicodeError):
        await names.addresses("a" * 64 + ".test", 443)


async def test_few_lookups_hang_and_one_that_is_well_again_is_noticed(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_module, "SHARED", 0.0)
    names = Names()
    for _ in range(3 * MOST):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await names.addresses("api.zoom.test", 443)
    assert resolver.asked == MOST
    # Another name does not wait for them.
    asking = asyncio.create_task(names.addresses("zoom.test", 443))
    await eventually(lambda: resolver.asked == MOST + 1, "a lookup of the other name")
    resolver.well.set()
    assert await asking == FOUND
    assert await names.addresses("api.zoom.test", 443) == FOUND


async def test_an_address_asks_nobody() -> None:
    (first, *_) = await Names().addresses("127.0.0.1", 443)
    assert first[4] == ("127.0.0.1", 443)
    ((*_, where),) = await Names().addresses("::1", 443)
    assert where[:2] == ("::1", 443)


HANGING = """
import asyncio, socket, threading
from gateway.zoom.upstream.dial import Attempt, parse_origin
from gateway.zoom.minter import _Resolver
from gateway.zoom.names import Names
socket.getaddrinfo = lambda *_, **__: threading.Event().wait()
async def main():
    for one in (
        Attempt(parse_origin("https://api.zoom.us")).connect(lambda _: asyncio.Protocol()),
        _Resolver(Names()).resolve("zoom.us"),
    ):
        try:
            await asyncio.wait_for(one, 0.1)
        except TimeoutError:
            print("timed out")
{runner}(main())
"""


@pytest.mark.parametrize(
    "runner", ["asyncio.run", "import uvloop; uvloop.run"], ids=["asyncio", "uvloop"]
)
async def test_a_lookup_that_hangs_does_not_keep_the_process(runner: str) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HANGING.replace("{runner}", runner),
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            said, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert (child.returncode, said) == (0, b"timed out\n" * 2)
