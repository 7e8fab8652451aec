"""The gateway and its peers in turn: all of them in each round, so that a machine whose speed
drifts slows all.
"""

import contextlib
from collections.abc import Callable

from benchmarks.support import configs
from benchmarks.support.machine import Running
from benchmarks.support.peers import present
from benchmarks.support.results import DIRECT, GATEWAY, Results
from benchmarks.support.stage import Stage, count, gateway
from benchmarks.support.wrk import DISTINCT, ONE, loaded, wrk

Tell = Callable[[str], None]
Serving = dict[str, tuple[Running, str]]


def compare(found: Results, stage: Stage, seconds: float, rounds: int, tell: Tell) -> None:
    """Start all, warm each up, and measure. Raises FailedCallsError if a call failed."""
    with contextlib.ExitStack() as stack:
        own = stack.enter_context(gateway(stage, "own"))
        serving: Serving = {GATEWAY: (own.process, own.url)}
        for peer in present(lambda problem: _missing(found, problem, tell)):
            try:
                one = stack.enter_context(peer.running(stage.folder, stage.authority))
            except (OSError, RuntimeError) as problem:
                _missing(found, f"{peer.name} did not start: {problem}", tell)
                continue
            serving[peer.name] = one
            found.versions[peer.name] = peer.told()
        for name, (process, _) in serving.items():
            idle = process.memory()
            found.add(name, **{"idle rss": idle.rss, "idle pss": idle.pss})
        for _, url in serving.values():
            wrk(url + configs.CALL, 1.0)
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            one_round(found, stage, serving, seconds)
            # Who repeats a call profits of what the gateway remembers.
            distinct = loaded(own.process, own.url + configs.CALL, seconds, DISTINCT)
            found.note(**{"distinct cpu": distinct.cpu})
        for name, (process, _) in serving.items():
            found.add(name, **{"after rss": process.memory().rss})
        everything_was_on(own.process, count(own.admin, "zoom_gateway_requests_total"))


def one_round(found: Results, stage: Stage, serving: Serving, seconds: float) -> None:
    direct = wrk(stage.url + configs.CALL, seconds / 2, ONE)
    found.add(DIRECT, **{"one p50": direct.p50, "one p99": direct.p99})
    for name, (process, url) in serving.items():
        many = loaded(process, url + configs.CALL, seconds)
        one = wrk(url + configs.CALL, seconds / 2, ONE)
        found.add(
            name,
            **{
                "cpu": many.cpu,
                "per second": many.per_second,
                "p50": many.p50,
                "p99": many.p99,
                "one p50": one.p50,
                "one p99": one.p99,
            },
        )


def everything_was_on(gateway: Running, counted: float) -> None:
    """Raises RuntimeError unless each call was counted and logged."""
    if not counted or gateway.lines < counted:
        raise RuntimeError(f"{counted:g} calls were counted, {gateway.lines} lines written")


def _missing(found: Results, problem: str, tell: Tell) -> None:
    tell(problem)
    found.problems.append(problem)
