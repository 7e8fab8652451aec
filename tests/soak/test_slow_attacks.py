"""Thousands of callers that are slow on purpose, and fifty that are not and must not notice.

slowhttptest attacks a gateway in front of the simulator while ordinary callers keep calling, in
turns: without the attack and with it. `SOAK=long` gives each attack minutes.
"""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from tests.support.load import metric, session
from tests.support.needed import program
from tests.support.processes import Gateway, eventually, gateway, simulator

LONG: Final = os.environ.get("SOAK", "short") == "long"
WINDOW: Final = 20.0 if LONG else 2.0
"""Seconds of one measurement."""

WINDOWS: Final = 6 if LONG else 3
"""How many there are, without an attack and with it."""

CONNECTIONS: Final = 2000
CALLERS: Final = 50
PAUSE: Final = 0.25
"""Seconds between two calls of one caller: 200 calls a second in all."""

FLOOR: Final = 0.1
"""Seconds of p99 that are no sign of anything where several processes share two cores."""

GROWN: Final = 192 << 20
"""Bytes that an attack may cost: some 60 KiB for each connection and its call."""

QUICK: Final = {
    "ZOOM_GATEWAY_LIMITS__HEADER_TIMEOUT": "5",
    "ZOOM_GATEWAY_LIMITS__BODY_TIMEOUT": "5",
    "ZOOM_GATEWAY_LIMITS__SEND_TIMEOUT": "5",
    "ZOOM_GATEWAY_LIMITS__CALL_TIMEOUT": "10",
    "ZOOM_GATEWAY_LIMITS__CALLS": "5000",
    "ZOOM_GATEWAY_LOG__SAMPLE": "0",
}
"""Time-outs that end within the test; as many calls as the attacks have connections."""


@dataclass(frozen=True)
class Attack:
    """`ends` are the limits that end its connections."""

    options: tuple[str, ...]
    ends: tuple[str, ...]
    path: str = "/v2/users/me"
    settings: dict[str, str] = field(default_factory=dict)


ATTACKS: Final = {
    # A header field each three seconds, and never the last.
    "headers": Attack(("-H", "-i", "3"), ("header_timeout",)),
    # A body that is announced, and drips: neither silent for 5 s nor ended in 10.
    "body": Attack(("-B", "-i", "3", "-s", "8192", "-t", "POST"), ("call_timeout",)),
    # Answers of which a few bytes are read every five seconds.
    "read": Attack(
        ("-X", "-n", "5", "-w", "512", "-y", "1024", "-z", "32", "-k", "3"),
        ("send_timeout", "call_timeout", "keepalive_timeout"),
        path="/v2/users?page_size=300",
        settings={"ZOOM_GATEWAY_LIMITS__KEEPALIVE_TIMEOUT": "5"},
    ),
    # Ranges that overlap: the gateway must not unfold them.
    "range": Attack(
        ("-R", "-a", "1", "-b", "3000"),
        (),
        settings={"ZOOM_GATEWAY_LIMITS__KEEPALIVE_TIMEOUT": "5"},
    ),
}


@asynccontextmanager
async def attacking(attack: Attack, gate: Gateway) -> AsyncIterator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        program("slowhttptest"),
        *attack.options,
        *("-c", str(CONNECTIONS), "-r", "1000", "-l", "3600", "-p", "60"),
        *("-u", f"{gate.url}{attack.path}"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


class Callers:
    """Fifty that call, pause and call again, each on a connection of its own."""

    def __init__(self, client: aiohttp.ClientSession, gate: Gateway) -> None:
        self._client = client
        self._url = f"{gate.url}/v2/users/me"
        self.failed: list[str] = []
        self._taken: list[float] = []

    async def p99(self, seconds: float) -> float:
        """Of a window of so many seconds."""
        self._taken = []
        await asyncio.gather(*(self._call(seconds, place) for place in range(CALLERS)))
        return statistics.quantiles(self._taken, n=100)[-1]

    async def _call(self, seconds: float, place: int) -> None:
        due = time.monotonic() + PAUSE * place / CALLERS
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            await asyncio.sleep(max(0.0, due - now))
            due += PAUSE
            began = time.monotonic()
            try:
                async with self._client.get(self._url) as answer:
                    await answer.read()
                    if answer.status != 200:
                        self.failed.append(str(answer.status))
            except aiohttp.ClientError as error:
                self.failed.append(type(error).__name__)
            self._taken.append(time.monotonic() - began)

    async def median(self) -> float:
        return statistics.median([await self.p99(WINDOW) for _ in range(WINDOWS)])


def memory(gate: Gateway) -> int:
    """Bytes of the process that are resident."""
    status = Path(f"/proc/{gate.child.pid}/status").read_text()
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


async def connections(client: aiohttp.ClientSession, gate: Gateway) -> float:
    return (await metric(client, gate.admin, "zoom_gateway_open_connections"))[""]


async def fell_to(client: aiohttp.ClientSession, gate: Gateway, most: int) -> None:
    end = time.monotonic() + 60
    while (now := await connections(client, gate)) > most:
        assert time.monotonic() < end, f"{now:g} connections are still open"
        await asyncio.sleep(0.2)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ATTACKS)
async def test_fifty_callers_do_not_notice_an_attack(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    attack = ATTACKS[name]
    async with (
        simulator() as sim,
        gateway(sim, **QUICK, **attack.settings) as gate,
        session() as client,
        session() as looking,
    ):
        callers = Callers(client, gate)
        await callers.p99(1.0)  # warm
        calm, before = await callers.median(), memory(gate)
        async with attacking(attack, gate) as attacker:
            peak = 0.0

            async def watch() -> None:
                nonlocal peak
                while True:
                    peak = max(peak, await connections(looking, gate))
                    await asyncio.sleep(0.1)

            watching = asyncio.create_task(watch())
            attacked, grown = await callers.median(), memory(gate) - before
            watching.cancel()
            await asyncio.wait([watching])
            # The attacker stays: that its connections end is the gateway's doing.
            if attack.ends:
                await fell_to(looking, gate, CALLERS + 2)
            del attacker
        await fell_to(looking, gate, CALLERS + 2)
        hits = await metric(looking, gate.admin, "zoom_gateway_limit_hits_total")
        ended = {limit: hits[f'{{limit="{limit}"}}'] for limit in attack.ends}
        told = f"p99 {calm * 1000:.1f} ms calm, {attacked * 1000:.1f} ms attacked; {peak:g} "
        told += f"connections; {grown / 2**20:.1f} MiB; {ended}; {len(gate.lines)} lines"
        record_property("attack", told)
        print(f"{name}: {told}")  # noqa: T201  what a soak has found is to be read
        assert callers.failed == []
        assert attacked < max(2 * calm, calm + FLOOR), told
        assert grown < GROWN, told
        if attack.ends:
            assert peak > CONNECTIONS * 0.8, told
            assert sum(ended.values()) > CONNECTIONS * 0.5, told
        assert len(gate.logged("limit_reached")) < 40, told
        assert gate.logged("defect") == []
