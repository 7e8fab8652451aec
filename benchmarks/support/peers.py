"""What is measured beside the gateway: each on one thread, each setting a fixed Authorization."""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.support import configs
from benchmarks.support.machine import ROOT, Running, cores, free_port, running

TOOLS: Final = ROOT / ".cache" / "bench"
"""Where `make bench-deps` puts what no system package has."""
PROGRAMS: Final = ROOT / "benchmarks" / "programs"
MODULES: Final = TOOLS / "node" / "node_modules"

Command = Callable[[Path, int, str], list[str | Path]]
"""From a folder for files, a port and the upstream's authority."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A proxy: what it is called, what it needs, and how it is started."""

    name: str
    needs: tuple[str | Path, ...]
    """Commands, and files that must be there."""
    version: tuple[str | Path, ...]
    """The command that tells it."""
    command: Command

    def missing(self) -> str:
        """What is not there, in words that say what to do; empty if all is."""
        lacking = [str(one) for one in self.needs if not _there(one)]
        if not lacking:
            return ""
        names = ", ".join(one.removeprefix(f"{ROOT}/") for one in lacking)
        return f"{self.name} is left out, {names} not found: `make bench-deps` installs it"

    def told(self) -> str:
        """Its version; empty if it does not tell."""
        answer = subprocess.run(
            [str(part) for part in self.version], capture_output=True, text=True, check=False
        )
        found = re.search(r"\d+\.\d+(\.\d+)?", answer.stdout + answer.stderr)
        return found[0] if found else ""

    @contextlib.contextmanager
    def running(self, folder: Path, authority: str) -> Iterator[tuple[Running, str]]:
        """Start it in front of the upstream; give the process and its URL."""
        port = free_port()
        command = self.command(folder, port, authority)
        with running(command, cores().proxy, {"NODE_PATH": str(MODULES)}) as one:
            yield one.listens(port), f"http://127.0.0.1:{port}"


def _there(needed: str | Path) -> bool:
    return needed.exists() if isinstance(needed, Path) else shutil.which(needed) is not None


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _nginx(folder: Path, port: int, authority: str) -> list[str | Path]:
    file = _written(folder / "proxy.conf", configs.proxy_nginx(folder, port, authority))
    return ["nginx", "-p", folder, "-c", file]


def _haproxy(folder: Path, port: int, authority: str) -> list[str | Path]:
    return [
        "haproxy",
        "-db",
        "-f",
        _written(folder / "haproxy.cfg", configs.haproxy(port, authority)),
    ]


def _envoy(folder: Path, port: int, authority: str) -> list[str | Path]:
    file = _written(folder / "envoy.yaml", configs.envoy(port, authority))
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    return [ENVOY, "--config-path", file, *options]


def _program(interpreter: str, name: str) -> Command:
    def command(_: Path, port: int, authority: str) -> list[str | Path]:
        return [interpreter, PROGRAMS / name, str(port), f"http://{authority}"]

    return command


def _module_version(name: str) -> tuple[str, ...]:
    return ("node", "-p", f"require('{MODULES / name / 'package.json'}').version")


ENVOY: Final = TOOLS / "venv" / "bin" / "envoy"
AIOHTTP: Final = (sys.executable, "-c", "import aiohttp; print(aiohttp.__version__)")

NGINX: Final = Peer("nginx", ("nginx",), ("nginx", "-v"), _nginx)
PEERS: Final = (
    NGINX,
    Peer("HAProxy", ("haproxy",), ("haproxy", "-v"), _haproxy),
    Peer(
        "raw asyncio",
        (),
        (sys.executable, "-c", "import uvloop; print(uvloop.__version__)"),
        _program(sys.executable, "raw_floor.py"),
    ),
    Peer("Envoy", (ENVOY,), (ENVOY, "--version"), _envoy),
    Peer(
        "Node http-proxy",
        ("node", MODULES / "http-proxy"),
        _module_version("http-proxy"),
        _program("node", "http_proxy.js"),
    ),
    Peer("plain aiohttp", (), AIOHTTP, _program(sys.executable, "plain_aiohttp.py")),
    Peer(
        "Express + axios",
        ("node", MODULES / "express", MODULES / "axios"),
        _module_version("express"),
        _program("node", "express_axios.js"),
    ),
)


def present(tell: Callable[[str], None]) -> list[Peer]:
    """Those that can be measured; of each other one it is told what is missing."""
    found = []
    for peer in PEERS:
        problem = peer.missing()
        if problem:
            tell(problem)
        else:
            found.append(peer)
    return found
