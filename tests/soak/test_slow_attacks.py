"""Thousands of callers that are slow on purpose, and fifty that are not and must not notice.

slowhttptest attacks a gateway in front of an API that costs little, while ordinary callers keep
calling. What they see is compared with what they saw before, in the same minute on the same
machine. In short, all attacks come at once, 2,000 connections in all; `SOAK=long` gives each as
many to itself, and measures longer.
"""

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from tests.support.load import metric, session
from tests.support.needed import program
from tests.support.plain_api import plain_api
from tests.support.processes import Gateway, gateway, simulator

LONG: Final = os.environ.get("SOAK", "short") == "long"
WINDOW: Final = 6.0 if LONG else 1.5
"""Seconds of one measurement."""

WINDOWS: Final = 5 if LONG else 3
"""How many there are, without an attack and with it."""

RAMP: Final = 150
"""Connections that an attack makes in a second."""

HELD: Final = WINDOW * WINDOWS + 9.0 + (10.0 if LONG else 0.0)
"""Seconds that a connection is held before a time-out ends it: longer than the measuring."""

ERROR: Final = "X-Zoom-Gateway-Error"
CALLERS: Final = 50
PAUSE: Final = 0.25
"""Seconds between two calls of one caller: 200 calls a second in all."""

FLOOR: Final = 0.1
"""Seconds of p99 that are no sign of anything where attackers, gateway, Zoom and callers share two
cores."""

SETTINGS: Final = {
    "ZOOM_GATEWAY_LIMITS__HEADER_TIMEOUT": f"{HELD:g}",
    "ZOOM_GATEWAY_LIMITS__BODY_TIMEOUT": f"{HELD:g}",
    "ZOOM_GATEWAY_LIMITS__SEND_TIMEOUT": f"{HELD:g}",
    "ZOOM_GATEWAY_LIMITS__CALL_TIMEOUT": f"{HELD:g}",
    "ZOOM_GATEWAY_LIMITS__KEEPALIVE_TIMEOUT": f"{HELD:g}",
    "ZOOM_GATEWAY_LIMITS__CALLS": "5000",
    "ZOOM_GATEWAY_LOG__SAMPLE": "0",
}
"""As many calls as the attacks have connections: not their number is to be seen here."""


@dataclass(frozen=True)
class Attack:
    """`ends` are the limits that may end its connections; `each` is what one may cost, in KiB."""

    options: tuple[str, ...]
    ends: tuple[str, ...]
    path: str = "/v2/users/me"
    each: int = 40


ATTACKS: Final = {
    # A header field each three seconds, and never the last.
    "headers": Attack(("-H", "-i", "3"), ("header_timeout",)),
    # A body that is announced, and drips: never silent, never ended.
    "body": Attack(("-B", "-i", "3", "-s", "8192", "-t", "POST"), ("call_timeout",), each=60),
    # Answers of which a few bytes are read every five seconds.
    "read": Attack(
        ("-X", "-n", "5", "-w", "512", "-y", "1024", "-z", "32"),
        ("send_timeout", "call_timeout"),
        path="/v2/large",
        each=900,
    ),
    # Ranges that overlap: the gateway must not unfold them. Each call ends at once.
    "range": Attack(("-R", "-a", "1", "-b", "3000"), ()),
}

SCENARIOS: Final[dict[str, dict[str, int]]] = (
    {"headers": {"headers": 2000}, "body": {"body": 2000}, "read": {"read": 1000}}
    | {"range": {"range": 2000}}
    if LONG
    else {"all": {"headers": 700, "body": 600, "read": 200, "range": 500}}
)
"""How many connections of which attacks."""


@asynccontextmanager
async def attacking(attack: Attack, gate: Gateway, connections: int) -> AsyncIterator[None]:
    child = await asyncio.create_subprocess_exec(
        program("slowhttptest"),
        *attack.options,
        *("-c", str(connections), "-r", str(RAMP), "-l", "3600", "-p", "60"),
        *("-u", f"{gate.url}{attack.path}"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
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
                        self.failed.append(answer.headers.get(ERROR, str(answer.status)))
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


@dataclass
class Seen:
    """p99 in seconds, memory in bytes."""

    calm: float
    attacked: float
    peak: float
    grown: int
    ended: dict[str, float]

    def __str__(self) -> str:
        return (
            f"p99 {self.calm * 1000:.1f} ms, attacked {self.attacked * 1000:.1f} ms;"
            f" {self.peak:g} connections; {self.grown / 2**20:.1f} MiB more; ended by {self.ended}"
        )


async def attacked(gate: Gateway, attacks: dict[str, int]) -> tuple[Seen, list[str]]:
    """What fifty callers saw, and which of their calls failed."""
    async with session() as client, session() as looking:
        callers = Callers(client, gate)
        await callers.p99(1.0)  # warm
        calm, before = await callers.median(), memory(gate)
        async with contextlib.AsyncExitStack() as stack:
            for name, count in attacks.items():
                await stack.enter_async_context(attacking(ATTACKS[name], gate, count))
            await callers.p99(max(attacks.values()) / RAMP + 1.0)  # while they come
            peak = await connections(looking, gate)
            under, grown = await callers.median(), memory(gate) - before
            # The attackers stay: that their connections end is the gateway's doing.
            await fell_to(looking, gate, CALLERS + 2)
        hits = await metric(looking, gate.admin, "zoom_gateway_limit_hits_total")
    limits = sorted({limit for name in attacks for limit in ATTACKS[name].ends})
    ended = {limit: hits[f'{{limit="{limit}"}}'] for limit in limits}
    return Seen(calm, under, peak, grown, ended), callers.failed


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_fifty_callers_do_not_notice_an_attack(name: str) -> None:
    attacks = SCENARIOS[name]
    async with (
        simulator() as sim,
        plain_api() as api,
        gateway(sim, **SETTINGS, ZOOM_GATEWAY_UPSTREAM__API_URL=api) as gate,
    ):
        seen, failed = await attacked(gate, attacks)
        print(f"{name}: {seen}")  # noqa: T201  what a soak has found is to be read
        assert failed == []
        assert seen.attacked < max(2 * seen.calm, seen.calm + FLOOR), seen
        held = sum(count for one, count in attacks.items() if ATTACKS[one].ends)
        assert seen.peak >= held * 0.9, seen
        assert sum(seen.ended.values()) >= held * 0.9, seen
        # What connections may cost, and what Python keeps for the next ones.
        allowed = sum(count * ATTACKS[one].each for one, count in attacks.items()) + 32 * 1024
        assert seen.grown < 1024 * allowed, seen
        assert len(gate.logged("limit_reached")) <= 4 * len(seen.ended) + 4
        assert gate.logged("defect") == []
