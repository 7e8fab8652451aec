"""From the start of a process to the first call that it serves."""

import http.client
import sys
import time
from collections.abc import Callable
from typing import Final

from benchmarks.support import configs
from benchmarks.support.machine import START, cores, free_port, running, spawned
from benchmarks.support.memory import LIBRARIES
from benchmarks.support.results import Results
from benchmarks.support.stage import GATEWAY, Stage, configured, gateway

POLL: Final = 0.001
"""Seconds between two attempts: what the measurement cannot see."""


def starting(
    found: Results, stage: Stage, _: float, rounds: int, tell: Callable[[str], None]
) -> None:
    """A process that only imports the libraries, and the gateway with its token in the store."""
    folder = stage.folder / "starting"
    with gateway(stage, folder.name):
        pass  # the token lies in the store now, and everything is compiled
    for number in range(max(rounds, 5)):
        tell(f"round {number + 1} of {max(rounds, 5)}")
        found.note(**{"import": _imported(), "start": _started(stage)})


def _imported() -> float:
    begun = time.monotonic()
    child = spawned((sys.executable, "-c", f"import {LIBRARIES}"), cores().every)
    output = child.communicate(timeout=START)[0]
    if child.returncode:
        raise RuntimeError(output.decode())
    return time.monotonic() - begun


def _started(stage: Stage) -> float:
    ports = free_port(), free_port()
    file = configured(stage, stage.folder / "starting", ports)
    begun = time.monotonic()
    with running((*GATEWAY, "serve", "--config", file), cores().every) as process:
        while not _serves(ports[0]):
            process.must_live(begun + START)
            time.sleep(POLL)
        return time.monotonic() - begun


def _serves(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START)
    try:
        connection.request("GET", configs.CALL, headers=configs.CALLER)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return answer.status == 200
    finally:
        connection.close()
