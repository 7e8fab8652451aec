"""Bytes by chance on the listening socket, and in the answers of Zoom: a real gateway lives on.

`SOAK_SEED` makes a run choose as another one did; `SOAK=long` makes each ten minutes.
"""

import asyncio
import json
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from tests.soak.calls import Callers, Plan, wrong
from tests.soak.length import pick
from tests.soak.mutations import ANSWERS, CALLS, Mutator
from tests.soak.place import UNWANTED, Place, place
from tests.support.raw_http import Caller, Heard, request

SECONDS: Final = (8.0, 600.0)
"""Of each test: short, long."""

SIDE_BY_SIDE: Final = 12
"""Connections at a time."""

LISTENS: Final = 0.05
"""Seconds without a byte after which a fuzzer thinks that it has heard all."""

MIB: Final = 1 << 20

_RESET: Final = struct.pack("ii", 1, 0)


def reset(caller: Caller) -> None:
    wire = caller.writer.get_extra_info("socket")
    if wire.fileno() >= 0:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    caller.writer.transport.abort()


async def side_by_side(seed: int, one: Callable[[random.Random], Awaitable[None]]) -> int:
    """Run it again and again, several at a time, for as long as the test lasts; how often."""
    end = time.monotonic() + pick(*SECONDS)
    times = 0

    async def again(chance: random.Random) -> None:
        nonlocal times
        while time.monotonic() < end:
            await one(chance)
            times += 1

    async with asyncio.TaskGroup() as group:
        for number in range(SIDE_BY_SIDE):
            group.create_task(again(random.Random(f"{seed} {number}")))
    return times


@asynccontextmanager
async def unharmed(made: Place) -> AsyncIterator[None]:
    """After the block, nothing is left over, nothing has grown, and no line tells of a fault."""
    before = made.look()
    warm: list[int] = []

    async def warmed() -> None:
        await asyncio.sleep(pick(*SECONDS) * 0.3)
        warm.append(made.look().rss)

    task = asyncio.create_task(warmed())
    try:
        yield
        await task
    finally:
        task.cancel()
    after = await made.settled(before, slack=4)
    assert after.rss - warm[0] < 24 * MIB, (before, after)
    assert made.gate.child.returncode is None
    assert not UNWANTED & set(made.gate.events()), made.gate.output[-3000:]
    assert "Traceback" not in made.gate.output


async def test_any_bytes_of_callers(tmp_path: Path, seed: int) -> None:
    statuses: Counter[bytes] = Counter()
    async with place(tmp_path) as made, unharmed(made):
        callers = Callers(made.address)
        numbers = iter(range(10**9))

        async def one(chance: random.Random) -> None:
            mutator = Mutator(CALLS, chance)
            heard = await spoken(made.address, mutator, chance)
            statuses.update([heard[:12]])
            assert not heard or heard.startswith(b"HTTP/1.1 "), heard
            if chance.random() < 0.05:
                nonce = f"between-{next(numbers)}"
                plan = Plan("post", "POST", upload=100)
                outcome = await callers.call(plan, nonce)
                problem = wrong(plan, nonce, outcome, made.zoom.acted[nonce])
                assert not problem, f"{problem}: {outcome}"

        times = await side_by_side(seed, one)
        callers.close()
    print(f"{times} connections; {statuses.most_common()}")  # noqa: T201  for -s
    assert times > 100
    assert {b"HTTP/1.1 200", b"HTTP/1.1 400"} <= statuses.keys()
    # No call reached Zoom but ours, each with the token that lives.
    assert made.zoom.violations == []
    assert made.zoom.refused == 0


async def spoken(address: tuple[str, int], mutator: Mutator, chance: random.Random) -> bytes:
    """Send something on a connection of its own, and leave it somehow; what was heard."""
    heard = b""
    caller = await Caller.connect(address)
    with suppress(ConnectionError):
        for piece in mutator.pieces(mutator.fresh()):
            await caller.send(piece)
            await asyncio.sleep(0)
        leaves = chance.choice(["after", "after", "after", "half", "at once", "reset"])
        if leaves == "half":
            caller.writer.write_eof()
        if leaves in {"after", "half"}:
            heard = await listened(caller)
        elif leaves == "reset":
            reset(caller)
    caller.writer.close()
    with suppress(ConnectionError):
        await caller.writer.wait_closed()
    return heard


async def listened(caller: Caller) -> bytes:
    """What comes until nothing comes for a while."""
    heard = b""
    with suppress(TimeoutError, ConnectionError):
        while True:
            async with asyncio.timeout(LISTENS):
                piece = await caller.reader.read(65_536)
            if not piece:
                break
            heard += piece
    return heard


class FuzzedZoom:
    """Answers each call with something; a call for `/v2/fine` with what is right."""

    def __init__(self, chance: random.Random) -> None:
        self._mutator = Mutator(ANSWERS, chance)
        self._chance = chance
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, limit=1 << 18, backlog=4096
        )
        self.port = server.sockets[0].getsockname()[1]
        return server

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(Caller(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, talk: Caller) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer(talk):
                pass
        talk.writer.close()
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(2):
                await talk.writer.wait_closed()

    async def _answer(self, talk: Caller) -> bool:
        head = await talk.reader.readuntil(b"\r\n\r\n")
        body = len(FINE) if head.startswith(b"POST") else 0
        await talk.reader.readexactly(body)
        if b" /v2/fine " in head:
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(FINE), FINE))
            return True
        for piece in self._mutator.pieces(self._mutator.fresh()):
            await talk.send(piece)
            await asyncio.sleep(0)
        ends = self._chance.choice(["on", "on", "close", "reset"])
        if ends == "reset":
            reset(talk)
        return ends == "on"


FINE: Final = b'{"fine": "really"}'


async def test_any_bytes_of_zoom(tmp_path: Path, seed: int) -> None:
    zoom = FuzzedZoom(random.Random(seed))
    server = await zoom.start()
    url = f"http://127.0.0.1:{zoom.port}"
    fast = {
        "upstream": {"api_url": url, "idle_timeout": 0.5},
        "token": {"wait_timeout": 3, "mint_timeout": 2},
    }
    statuses: Counter[int] = Counter()
    async with place(tmp_path, sections=fast) as made, unharmed(made):
        times = await side_by_side(seed, lambda chance: asked(made, chance, statuses))
        await zoom.stop()
        server.close()
    print(f"{times} calls; {statuses.most_common()}")  # noqa: T201  for -s
    assert times > 100
    assert {200, 502} <= statuses.keys()


async def asked(made: Place, chance: random.Random, statuses: Counter[int]) -> None:
    """A call, whose answer is HTTP, whole or broken, in time."""
    method = chance.choice([b"GET", b"GET", b"POST", b"HEAD"])
    version = chance.choice([b"1.1", b"1.1", b"1.0"])
    fine = chance.random() < 0.1
    body = FINE if method == b"POST" else None
    data = request(b"/v2/fine" if fine else b"/v2/x", method=method, body=body, version=version)
    async with asyncio.timeout(20), await Caller.connect(made.address) as caller:
        with suppress(ConnectionError):
            await caller.send(data)
        heard = await heard_of(caller, is_head=method == b"HEAD")
        if heard is None:
            assert not fine
            statuses[0] += 1
            return
        statuses[heard.status] += 1
        assert 200 <= heard.status < 1000
        assert len(heard.values(b"x-request-id")) == 1
        framings = heard.values(b"content-length") + heard.values(b"transfer-encoding")
        assert len(framings) <= 1, heard
        assert not heard.values(b"set-cookie")
        if heard.values(b"x-zoom-gateway-error"):
            assert method == b"HEAD" or json.loads(heard.body)["code"] == heard.status
        if fine and heard.status == 200:
            assert heard.complete
            assert method == b"HEAD" or heard.body == FINE


async def heard_of(caller: Caller, *, is_head: bool) -> Heard | None:
    """The answer; None if the connection ended, or broke, before its head was whole."""
    try:
        return await caller.hear(head=is_head)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
