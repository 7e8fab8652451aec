"""Thousands of callers that are slow on purpose, and fifty that are not and must not notice.

slowhttptest attacks a gateway in front of an API that costs little, while ordinary callers keep
calling it, and as many a twin of it that nobody attacks. When all the attackers' connections are
open, what the two see in the same seconds is compared, so that whatever else the machine does slows
both. In short, all attacks come at once, 2,000 connections that are held; `SOAK=long` gives each
as many to itself as well, and measures longer.
"""

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterator
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
WINDOW: Final = 5.0 if LONG else 2.0
"""Seconds of one measurement."""

WINDOWS: Final = 9 if LONG else 5
"""How many there are, with all connections open."""

RAMP: Final = 400
"""Connections that an attack makes in a second."""

HELD: Final = WINDOW * WINDOWS + (35.0 if LONG else 8.0)
"""Seconds that a connection is held before a time-out ends it: longer than the measuring."""

ERROR: Final = "X-Zoom-Gateway-Error"
CALLERS: Final = 50
"""Of each gateway."""

PAUSE: Final = 0.4
"""Seconds between two calls of one caller: 125 calls a second in all."""

FLOOR: Final = 0.0 if LONG else 0.05
"""Seconds of p99 that are no sign of anything in so few calls, where attackers, gateways, Zoom and
callers share two cores with whatever else runs."""

FAVOUR: Final = -10
"""The niceness of all but the attackers, where that is allowed: what else runs here is not to be
measured. Attackers have machines of their own, and must not take these processes' turns."""

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
    # A header field each ten seconds, slowhttptest's own pace, and never the last.
    "headers": Attack(("-H", "-i", "10"), ("header_timeout",)),
    # A body that is announced, and drips: never silent, never ended.
    "body": Attack(("-B", "-i", "10", "-s", "8192", "-t", "POST"), ("call_timeout",), each=60),
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

Attacks = dict[str, int]
"""How many connections of which."""

TOGETHER: Final[Attacks] = {"headers": 900, "body": 700, "read": 400}

SCENARIOS: Final[dict[str, Attacks]] = (
    {
        "all": TOGETHER,
        "headers": {"headers": 2000},
        "body": {"body": 2000},
        "read": {"read": 2000},
        "range": {"range": 2000},
    }
    if LONG
    else {"all": TOGETHER}
)
"""How many connections of which attacks."""


@asynccontextmanager
async def attacking(attack: Attack, gate: Gateway, connections: int) -> AsyncIterator[None]:
    child = await asyncio.create_subprocess_exec(
        *("nice", "-n", str(-FAVOUR), program("slowhttptest")),
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
    """Fifty that call, pause and call again."""

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


@contextlib.contextmanager
def favoured() -> Iterator[None]:
    """This process and all that it starts meanwhile come before what else runs on the machine."""
    former = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, FAVOUR)
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, former)


@dataclass
class Pair:
    """The callers of the gateway that is attacked, and those of its twin."""

    attacked: Callers
    twin: Callers

    async def windows(self, count: int) -> tuple[float, float]:
        """The medians of both's p99s, which are measured in the same seconds."""
        seen = [await self.window(WINDOW) for _ in range(count)]
        attacked, twin = zip(*seen, strict=True)
        return statistics.median(attacked), statistics.median(twin)

    async def window(self, seconds: float) -> tuple[float, float]:
        attacked, twin = await asyncio.gather(self.attacked.p99(seconds), self.twin.p99(seconds))
        return attacked, twin


def memory(gate: Gateway) -> int:
    """Bytes of the process that are resident."""
    status = Path(f"/proc/{gate.child.pid}/status").read_text()
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


async def connections(client: aiohttp.ClientSession, gate: Gateway) -> float:
    return (await metric(client, gate.admin, "zoom_gateway_open_connections"))[""]


def held_by(attacks: Attacks) -> int:
    """How many connections they hold."""
    return sum(count for name, count in attacks.items() if ATTACKS[name].ends)


async def hits(looking: aiohttp.ClientSession, gate: Gateway, attacks: Attacks) -> dict[str, float]:
    """How often the limits were reached that may end the attacks' connections."""
    found = await metric(looking, gate.admin, "zoom_gateway_limit_hits_total")
    limits = sorted({limit for name in attacks for limit in ATTACKS[name].ends})
    return {limit: found[f'{{limit="{limit}"}}'] for limit in limits}


async def are_ended(
    looking: aiohttp.ClientSession, gate: Gateway, attacks: Attacks
) -> dict[str, float]:
    """Wait until limits have ended what the attackers began: they stay, so nothing else does."""
    end = time.monotonic() + HELD + 30
    while sum((ended := await hits(looking, gate, attacks)).values()) < held_by(attacks) * 0.9:
        assert time.monotonic() < end, f"only these were ended: {ended}"
        await asyncio.sleep(0.2)
    return ended


async def fell_to(client: aiohttp.ClientSession, gate: Gateway, most: int) -> None:
    end = time.monotonic() + 60
    while (now := await connections(client, gate)) > most:
        assert time.monotonic() < end, f"{now:g} connections are still open"
        await asyncio.sleep(0.2)


@dataclass
class Seen:
    """p99 in seconds, memory in bytes."""

    before: float
    ramp: tuple[float, float]
    twin: float
    attacked: float
    peak: float
    grown: int
    ended: dict[str, float]

    def __str__(self) -> str:
        return (
            f"p99 {self.attacked * 1000:.1f} ms, at the same time undisturbed"
            f" {self.twin * 1000:.1f} ms, before {self.before * 1000:.1f} ms, while the attackers"
            f" came {self.ramp[0] * 1000:.1f} and {self.ramp[1] * 1000:.1f} ms; {self.peak:g}"
            f" connections;"
            f" {self.grown / 2**20:.1f} MiB more; ended by {self.ended}"
        )


async def came(
    looking: aiohttp.ClientSession, gate: Gateway, pair: Pair, attacks: Attacks
) -> tuple[tuple[float, float], float]:
    """Go on calling while the attackers come; give the second with the worst p99, and how
    many connections there are then."""
    held, worst = held_by(attacks), (0.0, 0.0)
    end = time.monotonic() + max(attacks.values()) / RAMP + 8.0
    while (now := await connections(looking, gate)) < held and time.monotonic() < end:
        worst = max(worst, await pair.window(1.0))
    return worst, now


async def watched(gate: Gateway, pair: Pair, attacks: Attacks) -> Seen:
    """What fifty callers saw."""
    async with session() as looking:
        await pair.window(1.0)  # warm
        calm, _ = await pair.window(1.5)
        before = memory(gate)
        async with contextlib.AsyncExitStack() as stack:
            for name, count in attacks.items():
                await stack.enter_async_context(attacking(ATTACKS[name], gate, count))
            ramp, peak = await came(looking, gate, pair, attacks)
            under, twin = await pair.windows(WINDOWS)
            grown = memory(gate) - before
            ended = await are_ended(looking, gate, attacks)
        await fell_to(looking, gate, CALLERS + 2)
    return Seen(calm, ramp, twin, under, peak, grown, ended)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_fifty_callers_do_not_notice_an_attack(name: str) -> None:
    attacks = SCENARIOS[name]
    with favoured():
        async with (
            simulator() as sim,
            plain_api() as api,
            gateway(sim, **SETTINGS, ZOOM_GATEWAY_UPSTREAM__API_URL=api) as gate,
            gateway(sim, **SETTINGS, ZOOM_GATEWAY_UPSTREAM__API_URL=api) as twin,
            session() as client,
        ):
            pair = Pair(Callers(client, gate), Callers(client, twin))
            seen = await watched(gate, pair, attacks)
    print(f"{name}: {seen}")  # noqa: T201  what a soak has found is to be read
    assert pair.attacked.failed == []
    assert seen.peak >= held_by(attacks), seen
    assert seen.attacked < max(2 * seen.twin, seen.twin + FLOOR), seen
    # What connections may cost, and what Python keeps for the next ones.
    allowed = sum(count * ATTACKS[one].each for one, count in attacks.items()) + 32 * 1024
    assert seen.grown < 1024 * allowed, seen
    assert len(gate.logged("limit_reached")) <= 4 * len(seen.ended) + 4
    assert gate.logged("defect") == []
