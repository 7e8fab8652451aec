"""Hundreds of calls a second with all faults at once: nothing is lost, nothing grows.

`SOAK=long` makes it half an hour. It leaves what it saw in `build/soak`.
"""

import asyncio
import itertools
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway import __version__
from tests.soak.calls import ONCE, Callers, Outcome, Plan, plan, wrong
from tests.soak.length import pick, soak_seconds
from tests.soak.place import Place, place
from tests.soak.record import Record, Sample, quantile
from tests.soak.weather import Weather
from tests.support.outside import Sight
from tests.support.processes import ROOT

RATE: Final = 200
"""Calls a second."""

MIB: Final = 1 << 20

THREADS: Final = (os.cpu_count() or 1) + 4 + 4
"""What a process may start: the default executor's (Python's limit), and four of libuv."""

LATE: Final = 0.1
"""Seconds of calls that are made up for in a burst, if they were not made in time."""

MOST: Final = 500
"""Calls under way. A mint without Redis takes up to 4 s; more at once would measure the callers."""

BURST: Final = 2 * MOST
"""Descriptors: each call that waits has two, which stay idle for longer than a short run lasts."""

EXPECTED: Final = frozenset(
    {
        *("starting", "started", "reloaded", "token_minted", "token_adopted", "token_switched"),
        *("token_refusals", "foreign_mint", "mint_failed", "mint_lost"),
        *("store_down", "store_up", "store_put_back"),
    }
)
"""Lines that these faults may cause, beside those of the calls."""


BLOWN: Final = ("token killed", "SIGHUP", "idle connections closed", "Redis hung", "Redis died")
"""What no run goes without."""


@dataclass
class Soak:
    """A run: callers, weather and looks from outside."""

    place: Place
    chance: random.Random
    weather: Weather
    callers: Callers
    record: Record = field(default_factory=Record)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    answered: int = 0
    recent: list[float] = field(default_factory=list)
    excused: int = 0
    """POST and PATCH that met a connection which Zoom was closing: they are told so."""

    async def load(self, seconds: float) -> None:
        """Calls at the rate, whatever becomes of them; all have ended at the end.

        What a machine that is busy with other things cannot do in time is not made up for.
        """
        end = time.monotonic() + seconds
        due = time.monotonic()
        for number in itertools.count():
            due = max(due + 1 / RATE, time.monotonic() - LATE)
            if due > end:
                break
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while len(self.under_way) >= MOST:
                await asyncio.wait(self.under_way, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._one(f"n-{number}", plan(self.chance)))
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)
        if self.under_way:
            await asyncio.wait(self.under_way)

    async def _one(self, nonce: str, made: Plan) -> None:
        outcome = await self.callers.call(made, nonce)
        self.answered += 1
        acted = self.place.zoom.acted[nonce] if made.method != "GET" else 0
        self.record.kinds[made.kind] += 1
        problem = wrong(made, nonce, outcome, acted)
        if problem and self._met_an_end(made, outcome, nonce):
            self.excused += 1
        elif problem:
            self.record.wrong.append(f"{nonce} {problem}: {outcome}; {made}")
        if made.timed:
            self.recent.append(outcome.seconds)
            self.record.durations.append(outcome.seconds)

    def _met_an_end(self, made: Plan, outcome: Outcome, nonce: str) -> bool:
        """Whether Zoom ended the connection as the call came, and never heard it: nobody who does
        not know that may send it again.
        """
        told = (outcome.status, outcome.slug) == (502, "upstream_broken")
        return told and made.method in ONCE and nonce not in self.place.zoom.heard

    async def watch(self, every: float) -> None:
        """Look at the process again and again."""
        began = last = time.monotonic()
        for number in itertools.count(1):
            await asyncio.sleep(began + number * every - time.monotonic())
            inflight = await self.place.metric("inflight_requests")
            sight = await asyncio.to_thread(self.place.look, network=False)
            now = time.monotonic()
            recent, self.recent = self.recent, []
            answered, self.answered = self.answered, 0
            self.record.samples.append(
                Sample(
                    at=now - began,
                    calls_per_second=answered / (now - last),
                    p50=quantile(recent, 0.5) * 1000,
                    p99=quantile(recent, 0.99) * 1000,
                    rss=sight.rss / MIB,
                    descriptors=sight.open,
                    files=sight.open - sight.descriptors["socket"],
                    threads=sight.threads,
                    inflight=inflight,
                )
            )
            last = now


async def test_nothing_is_lost_and_nothing_grows(tmp_path: Path, seed: int) -> None:
    seconds = soak_seconds()
    chance = random.Random(seed)
    # A machine that is busy with other things may need more than the 8 s of the default to mint.
    patient = {"token": {"wait_timeout": 25}}
    async with place(tmp_path, redis=True, sections=patient) as made:
        before = made.look()
        weather = Weather(made, random.Random(seed + 1))
        soak = Soak(made, chance, weather, Callers(made.address))
        watching = asyncio.create_task(soak.watch(pick(0.5, 2.0)))
        began = time.monotonic()
        try:
            async with weather.blowing():
                await soak.load(seconds)
        finally:
            watching.cancel()
            await asyncio.wait([watching])
        took = time.monotonic() - began
        assert watching.cancelled(), watching.exception()
        soak.callers.close()
        # A Redis client keeps some connections more than it began with.
        after = await made.settled(before, slack=12)
        lines = made.gate.events()
        summarise(soak, seed, took, before, after, lines)
        soak.record.write(Path(os.environ.get("SOAK_REPORT", ROOT / "build" / "soak")))
        assert made.zoom.violations == []
        assert soak.record.wrong == [], told(soak)
        assert set(lines) <= EXPECTED, told(soak)
        assert soak.excused <= soak.record.kinds.total() * 0.005, told(soak)
        assert after.threads <= before.threads + THREADS
        assert soak.record.growth("rss") < pick(24.0, 16.0), soak.record.summary
        assert soak.record.rise("files") < 4, soak.record.summary
        assert soak.record.rise("descriptors") < pick(BURST, 60), soak.record.summary
        assert all(weather.seen[kind] for kind in BLOWN), weather.seen
        assert soak.record.kinds.total() > seconds * RATE * 0.5, "the machine was too busy"


def summarise(
    soak: Soak, seed: int, took: float, before: Sight, after: Sight, lines: Counter[str]
) -> None:
    record, zoom = soak.record, soak.place.zoom
    record.summary = {
        "version": __version__,
        "seed": str(seed),
        "seconds": round(took, 1),
        "calls": record.kinds.total(),
        "calls a second": round(record.kinds.total() / took, 1),
        "wrong": len(record.wrong),
        "told that a connection was just being closed": soak.excused,
        "sent to Zoom": zoom.calls,
        "refusals": zoom.refused,
        "p50 (ms)": round(quantile(record.durations, 0.5) * 1000, 2),
        "p99 (ms)": round(quantile(record.durations, 0.99) * 1000, 2),
        "memory after the warm-up (MiB)": round(record.warm[0].rss, 1),
        "memory growth after the warm-up (MiB)": round(record.growth("rss"), 2),
        "descriptors, rise after the warm-up": round(record.rise("descriptors"), 1),
        "descriptors before and after": [before.open, after.open],
        "threads before and after": [before.threads, after.threads],
        "faults": dict(sorted(soak.weather.seen.items())),
        "lines": dict(sorted(lines.items())),
    }


def told(soak: Soak) -> str:
    """For the message of an assertion."""
    odd = [
        one
        for one in soak.place.gate.entries()
        if one.get("event") not in EXPECTED or one.get("level") == "error"
    ]
    return "\n".join([str(soak.record.summary), *soak.record.wrong[:30], *map(str, odd[:30])])
