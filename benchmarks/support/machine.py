"""Processes on this machine: started on the cores they belong on, watched, ended by their ids."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
START: Final = 60.0
"""Seconds that anything may take to listen: the machine may be busy."""
_TICK: Final = os.sysconf("SC_CLK_TCK")
_KEPT: Final = 65_536
"""Bytes of a process's output that are kept, to tell why it did not start."""


class Cores(NamedTuple):
    """Where load and upstream run, and where the proxy does: apart, as soon as there are two."""

    load: frozenset[int]
    proxy: frozenset[int]
    every: frozenset[int]


def cores() -> Cores:
    every = sorted(os.sched_getaffinity(0))
    return Cores(frozenset(every[:-1] or every), frozenset(every[-1:]), frozenset(every))


class Running:
    """A child process, with what it starts; its output is read and counted, and not kept."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        self.child = child
        self._command = str(child.args)
        self.lines = 0
        self._head = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout
        descriptor = self.child.stdout.fileno()
        while data := os.read(descriptor, 1 << 20):
            self.lines += data.count(b"\n")
            if len(self._head) < _KEPT:
                self._head += data[:_KEPT]

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def head(self) -> str:
        """What it wrote first."""
        return self._head.decode(errors="replace")

    def cpu(self) -> float:
        """Seconds of user and system time, of all its threads and children."""
        return sum(self.times())

    def times(self) -> tuple[float, float]:
        """`cpu`, apart: user and system."""
        user, system = zip(*map(_times, tree(self.pid)), strict=True)
        return sum(user), sum(system)

    def memory(self) -> "Memory":
        return sum((_memory(pid) for pid in tree(self.pid)), Memory(0.0, 0.0))

    def listens(self, port: int) -> "Running":
        """Return when it takes connections. Raises RuntimeError if it ended instead."""
        end = time.monotonic() + START
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
                return self
            self.must_live(end)
            time.sleep(0.01)

    def says(self, pattern: str) -> str:
        """Give the first group of what it writes. Raises RuntimeError if it ended instead."""
        end = time.monotonic() + START
        while not (found := re.search(pattern, self.head)):
            self.must_live(end)
            time.sleep(0.01)
        return found[1]

    def must_live(self, end: float = float("inf")) -> None:
        if self.child.poll() is not None:
            self._reader.join()
            raise RuntimeError(f"{self._command} ended: {self.head[-2000:]}")
        if time.monotonic() > end:
            raise RuntimeError(f"{self._command} does not listen: {self.head[-2000:]}")

    def end(self) -> None:
        """SIGTERM to it, SIGKILL to what is left of it, by their ids."""
        known = tree(self.pid)
        self.child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(2.0)
        for pid in known:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.child.wait()
        self._reader.join(5.0)
        assert self.child.stdout
        self.child.stdout.close()


class Memory(NamedTuple):
    """MiB."""

    rss: float
    pss: float

    def __add__(self, other: tuple[object, ...]) -> "Memory":
        assert isinstance(other, Memory)
        return Memory(self.rss + other.rss, self.pss + other.pss)


def environment(**variables: str) -> dict[str, str]:
    """The caller's, without anything that configures a gateway or names a proxy."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("ZOOM_") and not name.lower().endswith("_proxy")
    }
    return {**kept, **variables}


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    on: frozenset[int],
    env: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Start a process on these cores; end it, and what it started, afterwards."""
    one = Running(spawned(command, on, env))
    try:
        yield one
    finally:
        one.end()


def spawned(
    command: Sequence[str | Path], on: frozenset[int], env: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a process on these cores, its output in a pipe."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, on)  # a child, and all its threads, inherit it
    try:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment(PYTHONUNBUFFERED="1", **(env or {})),
        )
    finally:
        os.sched_setaffinity(0, own)


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def _stat(pid: int) -> list[str]:
    """The fields after the name, the state first; none if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _times(pid: int) -> tuple[float, float]:
    fields = _stat(pid)
    return (int(fields[11]) / _TICK, int(fields[12]) / _TICK) if fields else (0.0, 0.0)


def _memory(pid: int) -> Memory:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return Memory(0.0, 0.0)
    rss, pss = (float(text.partition(f"\n{name}:")[2].split()[0]) for name in ("Rss", "Pss"))
    return Memory(rss / 1024, pss / 1024)


def peak(pid: int) -> float:
    """The most memory that was resident since `forget_peak`, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def described() -> str:
    """Processor, kernel, and how busy the machine is already, in words."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.+)", info)
    count = len(os.sched_getaffinity(0))
    name = model[1].strip() if model else "a processor that does not tell its name"
    kernel = ".".join(os.uname().release.split(".")[:2])
    busy = f"load average {os.getloadavg()[0]:.1f} before it began"
    return f"{count} core{'s' if count > 1 else ''} of {name}, Linux {kernel}, {busy}"
