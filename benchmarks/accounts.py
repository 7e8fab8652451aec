"""What many accounts in one gateway cost: start, memory, idle CPU, metrics, status, a reload.

    .venv/bin/python benchmarks/accounts.py [--accounts N ...] [--store file|memory] [--write docs]

Starts everything itself, on loopback: a simulator, and a gateway for each number of accounts. The
table goes to standard output, with `--write` into accounts.md in that folder, too.
"""

import argparse
import contextlib
import datetime as dt
import gc
import http.client
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support import page
from benchmarks.support.machine import Running, cores, described, free_port, running
from benchmarks.support.stage import GATEWAY

IDLE: Final = 15.0
"""Seconds for which an idle gateway's processor time is measured."""

SETTLE: Final = 8.0
"""Seconds after it is ready until it is idle."""

HEAD: Final = (
    "accounts",
    "ready after, s",
    "MiB",
    "KiB an account",
    "idle CPU, %",
    "/metrics, MiB",
    "/metrics, ms",
    "status.json, ms",
    "page, ms",
    "page, KiB",
    "reload, ms",
    "longest wait of a call, ms",
    "µs to a 404",
    "µs to a known one",
)

Row = list[float]


def configured(folder: Path, sim: str, ports: tuple[int, int], count: int, store: str) -> Path:
    accounts = {
        f"account-{number}": {
            "account_id": "demo-account",
            "apps": [{"client_id": "demo-client", "client_secret": "demo-secret"}],
        }
        for number in range(count)
    }
    config: dict[str, Any] = {
        "listen": {"port": ports[0]},
        "admin": {"port": ports[1]},
        "upstream": {"api_url": sim, "token_url": f"{sim}/oauth/token"},
        "accounts": accounts,
        "store": {"url": "memory:" if store == "memory" else f"file://{folder}/store"},
        "log": {"level": "warning"},
        "drain": {"delay": 0, "timeout": 1},
    }
    file = folder / f"{count}.yaml"
    fresh = file.with_suffix(".fresh")
    fresh.write_text(yaml.dump(config, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
    fresh.chmod(0o600)
    fresh.replace(file)
    return file


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str) -> tuple[int, bytes, float]:
        """Status, body, seconds."""
        began = time.perf_counter()
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        return answer.status, body, time.perf_counter() - began


def wait_ready(process: Running, port: int) -> None:
    end = time.monotonic() + 120
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if Client(port).get("/readyz")[0] == http.HTTPStatus.OK:
                return
        process.must_live(end)
        time.sleep(0.01)


def median_of(times: int, take: Callable[[], tuple[int, bytes, float]]) -> tuple[float, int]:
    """Seconds in the median, and the last body's bytes."""
    taken = [take() for _ in range(times)]
    return statistics.median(one[2] for one in taken), len(taken[-1][1])


@contextlib.contextmanager
def serving(file: Path, ports: tuple[int, int]) -> Iterator[tuple[Running, float]]:
    """A gateway that is ready, and the seconds that it took."""
    began = time.monotonic()
    with running((*GATEWAY, "serve", "--config", file), cores().proxy) as process:
        wait_ready(process, ports[1])
        yield process, time.monotonic() - began


def reloaded(process: Running, client: Client, count: int) -> tuple[float, float]:
    """Seconds from SIGHUP until an added account is served; the longest that a call of another
    account took meanwhile.
    """
    process.child.send_signal(signal.SIGHUP)
    began, longest = time.monotonic(), 0.0
    while time.monotonic() - began < 60:
        longest = max(longest, client.get("/@account-0/v2/users/me")[2])
        if client.get(f"/@account-{count}/v2/users/me")[0] == http.HTTPStatus.OK:
            return time.monotonic() - began, longest
    raise RuntimeError("the reload did not happen")


def measure(folder: Path, sim: str, count: int, store: str, alone: float) -> Row:
    ports = free_port(), free_port()
    file = configured(folder, sim, ports, count, store)
    with serving(file, ports) as (process, ready):
        time.sleep(SETTLE)
        memory = process.memory().rss
        before = process.cpu()
        time.sleep(IDLE)
        idle = 100 * (process.cpu() - before) / IDLE
        admin, calls = Client(ports[1]), Client(ports[0])
        metrics, size = median_of(5, lambda: admin.get("/metrics"))
        status, _ = median_of(5, lambda: admin.get("/status.json"))
        shown, page_size = median_of(5, lambda: admin.get("/"))
        gc.disable()
        unknown, _ = median_of(300, lambda: calls.get("/@nobody/v2/users/me"))
        known, _ = median_of(300, lambda: calls.get("/@account-0/v2/users/me"))
        gc.enable()
        configured(folder, sim, ports, count + 1, store).replace(file)
        reload, longest = reloaded(process, calls, count)
    each = 1024 * (memory - alone) / count if count > 1 else float("nan")
    return [
        *(count, ready, memory, each, idle, size / 2**20, metrics * 1e3, status * 1e3),
        *(shown * 1e3, page_size / 1024, reload * 1e3, longest * 1e3, unknown * 1e6, known * 1e6),
    ]


def run(counts: list[int], store: str) -> list[Row]:
    rows: list[Row] = []
    simulate = (*GATEWAY, "simulate", "--port", "0", "--mode", "multi")
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running(simulate, cores().load) as process,
    ):
        sim = process.says(r"(http://[\d.:]+)")
        for count in counts:
            print(f"{count} accounts", file=sys.stderr, flush=True)
            alone = rows[0][2] if rows else 0.0
            own = Path(folder) / str(count)
            own.mkdir()
            rows.append(measure(own, sim, count, store, alone))
    return rows


def shown(rows: list[Row], store: str) -> str:
    where = f"{dt.datetime.now(dt.UTC).date().isoformat()}, {described()}; store `{store}:`."
    command = f"python {' '.join(['benchmarks/accounts.py', *sys.argv[1:]])}"
    cells = [[page.ABSENT if one != one else page.number(one) for one in row] for row in rows]  # noqa: PLR0124  not a number
    return "\n\n".join([f"{where} `{command}`", page.table(HEAD, cells)])


def main() -> int:
    parser = argparse.ArgumentParser(description="What many accounts in one gateway cost.")
    parser.add_argument("--accounts", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--store", choices=["file", "memory"], default="file")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="put it into the page there")
    options = parser.parse_args()
    text = shown(run(options.accounts, options.store), options.store)
    print(text)
    if options.write:
        page.write(options.write / "accounts.md", "what accounts cost", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
