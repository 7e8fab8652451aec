"""How the cost of a call grows: what is varied, and the gateways that are needed for it."""

import contextlib
import itertools
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.support import configs
from benchmarks.support import stage as stages
from benchmarks.support.machine import START, cores, running
from benchmarks.support.refusals import MANY as MANY_UNDER_WAY
from benchmarks.support.refusals import refused, refusing
from benchmarks.support.stage import Change, Serving, Stage, answered, gateway
from benchmarks.support.wrk import USUAL, Measured, Shape, begun, ended, loaded

MANY: Final = 4096
"""Connections at most."""
FEW: Final = 4
"""Connections of calls with large bodies, so that what is kept of them has room."""
KIB: Final = 1024
MIB: Final = 1024 * KIB
IDLE: Final = 2
"""Connections that are open though no load runs: whoever asks how many there are has one."""

Point = tuple[float, Callable[[float], Measured]]
"""Where on the axis, and how to load for so many seconds."""
Grow = Callable[[Stage, contextlib.ExitStack], list[Point]]
"""Start what is needed, until the stack ends."""


class Dimension(NamedTuple):
    """What is varied, and the unit of its numbers."""

    words: str
    unit: str
    grow: Grow


def allow_descriptors() -> None:
    """As many as this user may have, for this process and all that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _load(served: Serving, shape: Shape, target: str = configs.CALL) -> Callable[[float], Measured]:
    return lambda seconds: loaded(served.process, served.url + target, seconds, shape)


def connections(stage: Stage, stack: contextlib.ExitStack) -> list[Point]:
    def change(config: dict[str, Any]) -> None:
        config["limits"] = {"calls": MANY + 10, "connections": MANY + 10}

    served = stack.enter_context(gateway(stage, "connections", change))

    def point(number: int) -> Callable[[float], Measured]:
        shape = replace(USUAL, connections=number)

        def load(seconds: float) -> Measured:
            # Long enough that making the connections does not show; and their end is not measured
            # with the next load.
            found = _load(served, shape)(seconds * max(1.0, number / 1024))
            end = time.monotonic() + START
            while stages.count(served.admin, "zoom_gateway_open_connections") > IDLE:
                served.process.must_live(end)
                time.sleep(0.1)
            return found

        return load

    return [(float(number), point(number)) for number in (1, 8, 32, 128, 512, 1024, MANY)]


def fields(stage: Stage, stack: contextlib.ExitStack) -> list[Point]:
    served = stack.enter_context(gateway(stage, "fields"))
    return [
        (count, _load(served, replace(USUAL, fields=count)))
        for count in (0, 5, 10, 20, 40, 80, 120)
    ]


def answers(stage: Stage, stack: contextlib.ExitStack) -> list[Point]:
    """Bodies from Zoom: files, which take no room on the disk."""
    folder = stage.folder / "files"
    folder.mkdir()
    served = stack.enter_context(gateway(stage, "answers", _allow))
    points = []
    for size in (0, KIB, 16 * KIB, 256 * KIB, MIB, 8 * MIB, 64 * MIB):
        with (folder / str(size)).open("wb") as file:
            file.truncate(size)
        shape = Shape(connections=FEW)
        points.append((size / KIB, _load(served, shape, f"/files/{size}")))
    return points


def bodies(stage: Stage, stack: contextlib.ExitStack) -> list[Point]:
    """Bodies to Zoom, kept for a replay: above 1 MiB on the disk."""
    program = (sys.executable, "-m", "tests.support.plain_api")
    api = stack.enter_context(running(program, cores().load)).says(r"(http://[\d.:]+)\s")

    def change(config: dict[str, Any]) -> None:
        config["upstream"]["api_url"] = api

    served = stack.enter_context(gateway(stage, "bodies", change))
    return [
        (size / KIB, _load(served, Shape(connections=FEW, body=size)))
        for size in (0, KIB, 16 * KIB, 256 * KIB, MIB, 8 * MIB, 64 * MIB)
    ]


def refusals(stage: Stage, stack: contextlib.ExitStack) -> list[Point]:
    numbers = itertools.count()

    def point(share: float) -> Callable[[float], Measured]:
        def load(seconds: float) -> Measured:
            # A gateway for each load, and a folder: refusals draw on a budget of mints, which is
            # stored with the tokens.
            del seconds
            with refusing(stage, f"refusals-{next(numbers)}") as (served, api):
                refused(served, api, 0.0, MANY_UNDER_WAY)
                return refused(served, api, share, MANY_UNDER_WAY).measured

        return load

    del stack
    return [(share * 100, point(share)) for share in (0.0, 0.01, 0.05, 0.1, 0.2, 0.3)]


def accounts(stage: Stage, stack: contextlib.ExitStack) -> list[Point]:
    """Accounts that are called in turn."""

    def with_accounts(count: int) -> Change:
        def change(config: dict[str, Any]) -> None:
            known = config["accounts"]
            known.update({f"account-{number}": known["default"] for number in range(1, count + 1)})

        return change

    points = []
    for count in (1, 10, 100, 1000):
        served = stack.enter_context(gateway(stage, f"accounts-{count}", with_accounts(count)))
        answered(served.process, f"{served.admin}/readyz")
        points.append((float(count), _load(served, replace(USUAL, accounts=count))))
    return points


def rules(stage: Stage, stack: contextlib.ExitStack) -> list[Point]:
    """Access rules, of which the last fits."""

    def with_rules(count: int) -> Change:
        def change(config: dict[str, Any]) -> None:
            access = config["access"]
            last = access["rules"][-1]
            access["default"] = "deny" if count else "allow"
            access["rules"] = [
                {
                    "name": f"rule-{number}",
                    "methods": ["GET"],
                    "operations": [f"/v2/report/r{number}/**"],
                    "callers": {"networks": [f"10.{number // 256}.{number % 256}.0/24"]},
                }
                for number in range(1, count)
            ] + [last] * bool(count)

        return change

    points = []
    for count in (0, 1, 10, 100, 1000):
        served = stack.enter_context(gateway(stage, f"rules-{count}", with_rules(count)))
        points.append((float(count), _load(served, USUAL)))
    return points


def replicas(stage: Stage, stack: contextlib.ExitStack) -> list[Point]:
    """Gateways with one store that share the load; the cost is that of all of them."""
    points = []
    for count in (1, 2, 4, 8):
        shared = stage.folder / f"shared-{count}"
        fleet = [
            stack.enter_context(gateway(stage, f"replica-{count}-{number}", _sharing(shared)))
            for number in range(count)
        ]
        points.append((float(count), _all(fleet)))
    return points


def _sharing(folder: Path) -> Change:
    def change(config: dict[str, Any]) -> None:
        config["store"]["url"] = f"file://{folder}"

    return change


def _all(fleet: list[Serving]) -> Callable[[float], Measured]:
    shape = Shape(connections=USUAL.connections // len(fleet))

    def load(seconds: float) -> Measured:
        before = sum(served.process.cpu() for served in fleet)
        urls = [served.url + configs.CALL for served in fleet]
        children = [begun(url, seconds, shape) for url in urls]
        loads = [ended(url, one, seconds) for url, one in zip(urls, children, strict=True)]
        used = sum(served.process.cpu() for served in fleet) - before
        calls = sum(one.calls for one in loads)
        return Measured(
            used / calls * 1e6,
            sum(one.per_second for one in loads),
            max(one.p50 for one in loads),
            max(one.p99 for one in loads),
        )

    return load


def _allow(config: dict[str, Any]) -> None:
    config["access"]["default"] = "allow"  # the files are no operations of Zoom's


DIMENSIONS: Final = {
    "connections": Dimension("connections", "", connections),
    "answers": Dimension("answers", "KiB", answers),
    "bodies": Dimension("bodies", "KiB", bodies),
    "fields": Dimension("further header fields", "", fields),
    "refusals": Dimension("refusals", "%", refusals),
    "accounts": Dimension("accounts", "", accounts),
    "rules": Dimension("access rules", "", rules),
    "replicas": Dimension("replicas", "", replicas),
}
