"""What a measurement stands on: upstream, token endpoint, gateways, each a process of its own."""

import contextlib
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.support import configs
from benchmarks.support.machine import START, Running, cores, free_port, running

GATEWAY: Final = (sys.executable, "-m", "gateway")
Change = Callable[[dict[str, Any]], None]
"""What a measurement makes different in the gateway's configuration."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a gateway is started: by which program, with which options, on which cores (None: those
    of the proxy).
    """

    program: tuple[str, ...] = GATEWAY
    options: tuple[str, ...] = ()
    on: frozenset[int] | None = None


PLAIN: Final = Launch()


@dataclass(frozen=True, slots=True)
class Serving:
    """A gateway that has served a call."""

    process: Running
    url: str
    admin: str


@dataclass(frozen=True, slots=True)
class Stage:
    """The upstream's authority, the token endpoint's URL, and a folder for files."""

    folder: Path
    authority: str
    tokens: str

    @property
    def url(self) -> str:
        return f"http://{self.authority}"


@contextlib.contextmanager
def stage(folder: Path, life: float = 3599) -> Iterator[Stage]:
    """Start upstream and token endpoint, on the cores of the load."""
    port = free_port()
    file = folder / "api.conf"
    file.write_text(configs.api_nginx(folder, port))
    on = cores().load
    simulate = (*GATEWAY, "simulate", "--port", "0", "--mode", "multi", "--token-life", f"{life:g}")
    with (
        running(("nginx", "-p", folder, "-c", file), on) as api,
        running(simulate, on) as sim,
    ):
        api.listens(port)
        yield Stage(folder, f"127.0.0.1:{port}", sim.says(r"(http://[\d.:]+)") + "/oauth/token")


@contextlib.contextmanager
def gateway(
    stage: Stage, name: str, change: Change | None = None, launch: Launch = PLAIN
) -> Iterator[Serving]:
    """Start `serve` with a configuration file, in a folder of its own, and wait until it serves."""
    folder = stage.folder / name
    folder.mkdir(exist_ok=True)
    ports = free_port(), free_port()
    file = configured(stage, folder, ports, change)
    command: tuple[str | Path, ...] = (*launch.program, "serve", "--config", file, *launch.options)
    with running(command, cores().proxy if launch.on is None else launch.on) as process:
        url = f"http://127.0.0.1:{ports[0]}"
        answered(process.listens(ports[0]), url + configs.CALL, configs.CALLER)
        yield Serving(process, url, f"http://127.0.0.1:{ports[1]}")


def configured(
    stage: Stage, folder: Path, ports: tuple[int, int], change: Change | None = None
) -> Path:
    """Write the gateway's configuration file."""
    config = configs.gateway(folder, ports, stage.url, stage.tokens)
    if change is not None:
        change(config)
    file = folder / "gateway.yaml"
    file.write_text(yaml.safe_dump(config))
    file.chmod(0o600)
    return file


def answered(process: Running, url: str, headers: Mapping[str, str] | None = None) -> None:
    """Return when a call is answered with 200. Raises RuntimeError if it never is."""
    end = time.monotonic() + START
    while True:
        request = urllib.request.Request(url, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=START):
                return
        except OSError as problem:  # HTTPError is one, too
            if time.monotonic() > end:
                raise RuntimeError(f"no answer: {problem}\n{process.head[-2000:]}") from problem
        process.must_live(end)
        time.sleep(0.02)


def count(url: str, name: str) -> float:
    """The sum of a metric's series."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=START) as answer:
        text = answer.read().decode()
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith((f"{name}{{", f"{name} "))
    )
