"""Load by `wrk`: one thread, some connections, for some seconds."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.support.configs import CALLER
from benchmarks.support.machine import Running, cores, spawned

SCRIPT: Final = Path(__file__).with_name("report.lua")
_COUNT: Final = re.compile(r"(\w+)=(\d+)")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the calls are like. With `body` bytes they are POSTs; `fields` more header fields;
    `accounts` that are called in turn. `distinct`: each has an id of its own, and one of 10,000
    paths. All named in report.lua.
    """

    connections: int = 32
    body: int = 0
    fields: int = 0
    accounts: int = 0
    distinct: bool = False

    def environment(self) -> dict[str, str]:
        return {
            "BENCH_BODY": str(self.body),
            "BENCH_FIELDS": str(self.fields),
            "BENCH_ACCOUNTS": str(self.accounts),
            "BENCH_DISTINCT": str(self.distinct),
        }


USUAL: Final = Shape()
ONE: Final = Shape(connections=1)
DISTINCT: Final = Shape(distinct=True)


class Load(NamedTuple):
    """What callers saw; latencies in microseconds."""

    calls: int
    per_second: float
    p50: float
    p99: float


class Measured(NamedTuple):
    """A load, and what it cost the proxy: microseconds of processor time for each call."""

    cpu: float
    per_second: float
    p50: float
    p99: float


class FailedCallsError(RuntimeError):
    """Calls failed: what was measured is worth nothing."""


def wrk(url: str, seconds: float, shape: Shape = USUAL) -> Load:
    """Load for so many whole seconds.

    Raises FailedCallsError unless each call was answered, and well.
    """
    return ended(url, begun(url, seconds, shape), seconds)


def begun(url: str, seconds: float, shape: Shape = USUAL) -> "subprocess.Popen[bytes]":
    command = [
        *("wrk", "--threads=1", f"--connections={shape.connections}", "--timeout=20s"),
        *(f"--duration={max(1, round(seconds))}s", f"--script={SCRIPT}"),
        *(part for name, text in CALLER.items() for part in ("-H", f"{name}: {text}")),
        url,
    ]
    return spawned(command, cores().load, shape.environment())


def ended(url: str, child: "subprocess.Popen[bytes]", seconds: float) -> Load:
    try:
        output = child.communicate(timeout=seconds + 60)[0].decode()
    except BaseException:
        child.kill()
        child.communicate()
        raise
    return read(url, output)


def read(url: str, output: str) -> Load:
    """What report.lua printed. Raises FailedCallsError."""
    reported = output.rpartition("counted ")[2]
    counted = {name: int(number) for name, number in _COUNT.findall(reported)}
    calls = counted.get("calls")
    if not calls:
        raise FailedCallsError(f"wrk counted no call at {url}: {output[-1000:]}")
    if counted["failed"] or counted["refused"]:
        raise FailedCallsError(f"calls failed at {url}: {counted}")
    return Load(calls, calls / counted["microseconds"] * 1e6, counted["p50"], counted["p99"])


def loaded(proxy: Running, url: str, seconds: float, shape: Shape = USUAL) -> Measured:
    """Load a proxy and see what it uses."""
    before = proxy.cpu()
    load = wrk(url, seconds, shape)
    proxy.must_live()
    used = proxy.cpu() - before
    return Measured(used / load.calls * 1e6, load.per_second, load.p50, load.p99)
