"""Load by `wrk`: one thread, some connections, for some seconds."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.support.machine import Running, cores, spawned

SCRIPT: Final = Path(__file__).with_name("report.lua")
_COUNT: Final = re.compile(r"(\w+)=(\d+)")


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


def wrk(
    url: str,
    seconds: float,
    connections: int = 32,
    headers: Mapping[str, str] | None = None,
    script: Path = SCRIPT,
) -> Load:
    """Load for so many whole seconds. Raises FailedCallsError if a single call was not answered, and well."""
    fields = [part for item in (headers or {}).items() for part in ("-H", f"{item[0]}: {item[1]}")]
    command = [
        "wrk",
        "--threads=1",
        f"--connections={connections}",
        f"--duration={max(1, round(seconds))}s",
    ]
    child = spawned(
        [*command, "--timeout=20s", f"--script={script}", *fields, url], cores().load, {}
    )
    try:
        output = child.communicate(timeout=seconds + 60)[0].decode()
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise
    counted = {
        name: int(number) for name, number in _COUNT.findall(output.rpartition("counted")[2])
    }
    if not counted.get("calls"):
        raise FailedCallsError(f"wrk counted no call: {output[-1000:]}")
    if counted["failed"] or counted["refused"]:
        raise FailedCallsError(f"calls failed at {url}: {counted}")
    calls = counted["calls"]
    return Load(calls, calls / counted["microseconds"] * 1e6, counted["p50"], counted["p99"])


def loaded(proxy: Running, url: str, seconds: float, **options: object) -> Measured:
    """Load a proxy and see what it uses."""
    before = proxy.cpu()
    load = wrk(url, seconds, **options)  # type: ignore[arg-type]  # those of `wrk`
    proxy.must_live()
    used = proxy.cpu() - before
    return Measured(used / load.calls * 1e6, load.per_second, load.p50, load.p99)
