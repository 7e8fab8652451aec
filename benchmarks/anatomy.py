"""Where a call's time goes: the gateway under cProfile, and the kernel's share without it.

    .venv/bin/python benchmarks/anatomy.py [--seconds 5] [--functions 40] [--write docs]

Starts everything itself, as overhead.py does. cProfile makes each function call dearer, so the
shares are those of Python's steps, not of time; what is written in C counts where it is called.
"""

import argparse
import datetime as dt
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support import configs, page
from benchmarks.support.machine import ROOT, Running, described
from benchmarks.support.parts import Cost, profile
from benchmarks.support.peers import PROGRAMS
from benchmarks.support.stage import Launch, Stage, count, gateway, stage
from benchmarks.support.wrk import begun, ended, loaded

KEPT: Final = ROOT / "build" / "bench" / "anatomy.out"
WARM: Final = 1.0


class Found(NamedTuple):
    """Microseconds of processor time a call, the system's share of it, and the profile."""

    cpu: float
    system: float
    parts: dict[str, Cost]
    functions: list[tuple[str, Cost]]


def measure(ready: Stage, seconds: float) -> Found:
    with gateway(ready, "plain") as served:
        loaded(served.process, served.url + configs.CALL, WARM)
        before = served.process.times()
        measured = loaded(served.process, served.url + configs.CALL, seconds)
        user, system = (
            after - earlier for after, earlier in zip(served.process.times(), before, strict=True)
        )
    calls, file = profiled(ready, seconds)
    return Found(measured.cpu, system / (user + system), *profile(file, calls))


def profiled(ready: Stage, seconds: float) -> tuple[int, Path]:
    """How many calls the profile is about, and where it is."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.unlink(missing_ok=True)
    program = (sys.executable, str(PROGRAMS / "profiled_gateway.py"), str(KEPT))
    with gateway(ready, "profiled", launch=Launch(program=program)) as served:
        url = served.url + configs.CALL
        load = begun(url, seconds + 2 * WARM)
        time.sleep(WARM)
        before = count(served.admin, "zoom_gateway_requests_total")
        served.process.child.send_signal(signal.SIGUSR2)
        time.sleep(seconds)
        served.process.child.send_signal(signal.SIGUSR2)
        written(served.process)
        calls = count(served.admin, "zoom_gateway_requests_total") - before
        ended(url, load, seconds)
    return int(calls), KEPT


def written(process: Running) -> None:
    end = time.monotonic() + 20
    while not KEPT.exists():
        process.must_live(end)
        time.sleep(0.02)


def text(found: Found, command: str) -> str:
    day = dt.datetime.now(dt.UTC).date().isoformat()
    return "\n\n".join(
        [
            f"{day}, {described()}. `{command}`",
            f"A call took {found.cpu:.0f} µs, {found.system:.0%} of them in the kernel. The rest:",
            table("part of a call", found.parts.items(), found),
        ]
    )


def table(head: str, rows: Iterable[tuple[str, Cost]], found: Found) -> str:
    whole = sum(cost.seconds for cost in found.parts.values())
    return page.table(
        (head, "function calls", "share of the profile"),
        ((name, f"{cost.calls:.1f}", f"{cost.seconds / whole:.0%}") for name, cost in rows),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Where a call's time goes.")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--functions", type=int, default=40, help="how many to print")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="put it into the page there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, stage(Path(folder)) as ready:
        found = measure(ready, options.seconds)
    command = f"python {' '.join(['benchmarks/anatomy.py', *sys.argv[1:]])}"
    print(text(found, command))
    print()
    print(table("function", found.functions[: options.functions], found))
    if options.write:
        page.write(options.write / "performance.md", "where the time goes", text(found, command))
    return 0


if __name__ == "__main__":
    sys.exit(main())
