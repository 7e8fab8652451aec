"""Eight replicas that pace one account's calls, a Zoom that counts them, and callers of two kinds.

Polite callers send their next call when the last is answered; a flooding one has many under way at
all replicas, always. Each shows a key of its own. What is measured is what they see.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp

from tests.fleet.world import World, world

REPLICAS = 8
POLITE = 9
FLOOD = 160
"""Calls that the flooding caller has under way: at each replica more than it may send in a
second."""

KEY = "X-Zoom-Gateway-Key"
PACED = "paced"
"""Our own 429s, told from Zoom's by `X-Zoom-Gateway-Error`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One call as its caller saw it."""

    caller: str
    at: float
    seconds: float
    status: int
    paced: bool

    @property
    def end(self) -> float:
        return self.at + self.seconds


@dataclass
class Phase:
    """What happened between two moments. `allowed` is Zoom's limit, in calls a second."""

    allowed: int
    began: float
    ended: float
    calls: list[Seen] = field(default_factory=list)

    @property
    def inside(self) -> list[Seen]:
        """Those that were answered in this time."""
        return [one for one in self.calls if self.began <= one.end < self.ended]

    @property
    def used(self) -> float:
        """The share of what Zoom allows that was used."""
        good = sum(one.status == 200 for one in self.inside)
        return good / (self.allowed * (self.ended - self.began))

    @property
    def limited(self) -> float:
        """The share of the calls that reached Zoom which it refused with 429."""
        reached = [one for one in self.inside if not one.paced]
        return sum(one.status == 429 for one in reached) / max(1, len(reached))

    def waits(self, caller: str) -> list[float]:
        """Of one caller's calls that began in this time."""
        return [
            one.seconds
            for one in self.calls
            if one.caller == caller and self.began <= one.at and one.end < self.ended
        ]

    def statuses(self) -> Counter[str]:
        return Counter(PACED if one.paced else str(one.status) for one in self.inside)

    def tell(self, name: str) -> str:
        polite = [wait for n in range(POLITE) for wait in self.waits(f"polite-{n}")]
        waits = ""
        if polite:
            waits = f", a polite call waits {median(polite):.3f} s, at most {max(polite):.3f} s"
        return (
            f"{name}: {self.used:.1%} of {self.allowed}/s used, {self.limited:.2%} refused by"
            f" Zoom{waits}; {dict(self.statuses())}"
        )


class Crowd:
    """The callers."""

    def __init__(self, one: World, path: str, client: aiohttp.ClientSession) -> None:
        self._urls = [f"{gate.url}{path}" for gate in one.fleet.gates]
        self._client = client
        self._tasks: list[asyncio.Task[None]] = []
        self.calls: list[Seen] = []

    def add(self, caller: str, at_once: int = 1) -> None:
        self._tasks += [asyncio.create_task(self._run(caller, number)) for number in range(at_once)]

    async def _run(self, caller: str, number: int) -> None:
        """One call after the other, at the replicas in turn."""
        while True:
            url = self._urls[number % len(self._urls)]
            number += 1
            began = time.monotonic()
            async with self._client.get(url, headers={KEY: key_of(caller)}) as answer:
                await answer.read()
                slug = answer.headers.get("X-Zoom-Gateway-Error", "")
                assert slug in {"", PACED}, slug
                ended = time.monotonic()
            self.calls.append(Seen(caller, began, ended - began, answer.status, slug == PACED))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome


def key_of(caller: str) -> str:
    return f"key-of-{caller}-0123456789"


@asynccontextmanager
async def paced_world(directory: Path, plan: str, store: str = "") -> AsyncIterator[World]:
    callers = ["flood", *(f"polite-{number}" for number in range(POLITE))]
    keys = {caller: {"key": key_of(caller)} for caller in callers}
    async with world(
        directory,
        replicas=REPLICAS,
        sim=("--rate-plan", plan),
        store=store,
        env={
            "ZOOM_GATEWAY_RATELIMIT__PACE": plan,
            "ZOOM_GATEWAY_ACCESS__KEYS": json.dumps(keys),
            "ZOOM_GATEWAY_LOG__SAMPLE": "0",
        },
    ) as one:
        await one.fleet.ready()
        yield one


async def phase(crowd: Crowd, allowed: int, settle: float, seconds: float) -> Phase:
    """Let the callers run for so long; what came while they settled does not count."""
    await asyncio.sleep(settle)
    began = time.monotonic()
    await asyncio.sleep(seconds)
    return Phase(allowed, began, time.monotonic(), crowd.calls)
