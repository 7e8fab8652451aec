"""What workers and features cost: the gateway beside itself."""

import contextlib
import sys
from collections.abc import Callable
from typing import Any, Final

from benchmarks.support import configs
from benchmarks.support.machine import cores
from benchmarks.support.peers import PROGRAMS
from benchmarks.support.results import Results
from benchmarks.support.stage import Launch, Serving, Stage, count, gateway
from benchmarks.support.wrk import USUAL, Measured, Shape, loaded

Tell = Callable[[str], None]

BODY: Final = Shape(body=1024)
"""A body that is kept."""
BARE: Final = Launch(program=(sys.executable, str(PROGRAMS / "bare_gateway.py")))


def workers(found: Results, stage: Stage, seconds: float, rounds: int, tell: Tell) -> None:
    """One worker and two, both free to run on every core: the load leaves them what it leaves."""
    every = cores().every
    with contextlib.ExitStack() as stack:
        one, two = (
            stack.enter_context(
                gateway(stage, name, launch=Launch(options=("--workers", str(number)), on=every))
            )
            for number, name in ((1, "one"), (2, "two"))
        )
        for served in (one, two):
            _load(served, 1.0)
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            for name, served in (("one worker", one), ("two workers", two)):
                measured = _load(served, seconds)
                found.note(
                    **{f"{name} cpu": measured.cpu, f"{name} per second": measured.per_second}
                )


def features(found: Results, stage: Stage, seconds: float, rounds: int, tell: Tell) -> None:
    """All on, and metrics, logs, access rules and the kept body off; calls have a body of 1 KiB."""
    with (
        gateway(stage, "whole") as whole,
        gateway(stage, "bare", without, BARE) as bare,
    ):
        for served in (whole, bare):
            _load(served, 1.0, BODY)
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            for name, served in (("features on", whole), ("features off", bare)):
                found.note(**{name: _load(served, seconds, BODY).cpu})
        if count(bare.admin, "zoom_gateway_requests_total"):
            raise RuntimeError("calls were counted that nobody should have heard of")


def without(config: dict[str, Any]) -> None:
    """Turn off what configuration can turn off."""
    del config["access"]
    config["log"] = {"level": "error", "sample": 0}
    config["replay"] = {"memory_limit": 0, "disk_limit": 0}


def _load(served: Serving, seconds: float, shape: Shape = USUAL) -> Measured:
    return loaded(served.process, served.url + configs.CALL, seconds, shape)
