"""What several processes count together: one scrape shows the sum, whoever answers it.

Each worker counts in files of its own, named by its number and not by its process id, so that
the one that replaces it goes on where it ended and no counter ever goes down. The gauges of a
worker that died are removed by its parent: `forget`.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from prometheus_client import Metric, ProcessCollector, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from gateway.observe.tally import UNKNOWN
from gateway.observe.totals import NAMES

DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells the library where the files are; it reads it whenever it opens one."""

_STARTED: Final = "process_start_time_seconds"
_DENIED: Final = "zoom_gateway_access_denied"
_CPU: Final = "process_cpu_seconds"


class Shared(Collector):
    """The metrics of all workers. At most one in a process, made before any metric is.

    `directory` is empty at the start of the first worker, and the same for all.
    """

    def __init__(self, directory: Path, worker: int) -> None:
        self._directory = directory
        self.accounts: Collection[str] = ()
        """Those that are shown."""
        os.environ[DIRECTORY] = str(directory)
        # What the library's documentation does for uWSGI, whose workers have numbers, too.
        values.ValueClass = values.MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call]
        _pid_file(directory, worker).write_text(str(os.getpid()))

    def collect(self) -> Iterable[Metric]:
        """The sums over all workers."""
        # A file is created empty, and only then given its size.
        files = [str(one) for one in self._directory.glob("*.db") if _size(one)]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return map(self._without_strangers, merged)

    def _without_strangers(self, metric: Metric) -> Metric:
        """Files forget nothing: accounts that were taken away stay in them."""
        known = self.accounts
        metric.samples = [
            one for one in metric.samples if (one.labels.get("account") or UNKNOWN) in known
        ]
        return metric

    def totals(self) -> Mapping[str, Mapping[str, int]]:
        """As `Totals.totals`, of all workers together."""
        totals: dict[str, dict[str, int]] = {}
        for metric in self.collect():
            name_of = _TOTALS.get(metric.name)
            if name_of is None:
                continue
            for sample in metric.samples:
                counts = totals.setdefault(sample.labels["account"], dict.fromkeys(NAMES, 0))
                counts[name_of(sample.labels)] += int(sample.value)
        return totals

    def denied(self) -> Mapping[str, int]:
        """As `Totals.denied`, of all workers together."""
        return {
            sample.labels["reason"]: int(sample.value)
            for metric in self.collect()
            if metric.name == _DENIED
            for sample in metric.samples
        }

    def pids(self) -> list[int]:
        """The processes of the workers."""
        return [pid for one in self._directory.glob("*.pid") if (pid := _read_pid(one))]


class Processes(Collector):
    """What `ProcessCollector` tells, summed over a parent and its workers.

    `pids` gives the workers. The start is the parent's: a worker that is replaced is no restart
    of the gateway. What workers that ended had used of the processor counts on.
    """

    def __init__(self, parent: int, pids: Callable[[], list[int]]) -> None:
        self._parent = parent
        self._pids = pids
        self._pid = parent
        self._one = ProcessCollector(pid=lambda: self._pid, registry=None)

    def collect(self) -> Iterator[Metric]:
        sums: dict[str, Metric] = {}
        for pid in (self._parent, *self._pids()):
            self._pid = pid
            for metric in self._one.collect():
                if (known := sums.setdefault(metric.name, metric)) is not metric:
                    _add(known, metric.samples[0].value)
        if _CPU in sums:
            _add(sums[_CPU], _ended_children(self._parent))
        yield from sums.values()


def forget(directory: Path, worker: int) -> None:
    """A worker ended: what it had in hand is not in hand any more."""
    mark_process_dead(worker, str(directory))  # type: ignore[no-untyped-call]
    _pid_file(directory, worker).unlink(missing_ok=True)


def _pid_file(directory: Path, worker: int) -> Path:
    return directory / f"{worker}.pid"


def _read_pid(file: Path) -> int:
    """0: it is just being written, or its worker has ended."""
    try:
        return int(file.read_text() or 0)
    except FileNotFoundError:
        return 0


def _add(metric: Metric, value: float) -> None:
    if metric.name != _STARTED:
        sample = metric.samples[0]
        metric.samples[0] = sample._replace(value=sample.value + value)


def _ended_children(parent: int) -> float:
    """Seconds of processor time of the children that a process has waited for."""
    try:
        stat = Path(f"/proc/{parent}/stat").read_text()
    except OSError:
        return 0.0
    # After the name in brackets, cutime and cstime are the 14th and 15th of proc(5)'s list.
    user, system = stat.rpartition(")")[2].split()[13:15]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _replay(labels: Mapping[str, str]) -> str:
    return "recovered" if labels["outcome"] == "recovered" else "passed_on"


def _mint(labels: Mapping[str, str]) -> str:
    return "mints" if labels["result"] in {"success", "previous_secret"} else "mint_failures"


_TOTALS: Final[Mapping[str, Callable[[Mapping[str, str]], str]]] = {
    "zoom_gateway_requests": lambda _: "calls",
    "zoom_gateway_token_refusals": lambda _: "refusals",
    "zoom_gateway_replays": _replay,
    "zoom_gateway_token_mints": _mint,
    "zoom_gateway_token_foreign_mints": lambda _: "foreign_mints",
}
