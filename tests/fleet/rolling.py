"""A rolling restart under load: one replica after the other goes, and another takes its place."""

import asyncio
import hashlib
import itertools
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from tests.fleet.world import World, world
from tests.support.balancers import LOOK, Balancer, endpoints, free_ports, haproxy
from tests.support.fleet import TWO_SLOTS
from tests.support.fleet_load import ME, MEETINGS, PATIENCE, Call, Result, client_session
from tests.support.processes import Gateway, eventually
from tests.support.raw_http import Caller, request

DELAY = 15 * LOOK
"""Seconds: `drain.delay`, as long for the looks of the test as the default is for 0.33 s."""

TIMEOUT = 10.0
"""Seconds: `drain.timeout`."""

OUTLASTS = DELAY + 0.6
"""Seconds that a transfer goes on after its replica was told to go: longer than the delay."""

DRAIN = {
    "ZOOM_GATEWAY_DRAIN__DELAY": str(DELAY),
    "ZOOM_GATEWAY_DRAIN__TIMEOUT": str(TIMEOUT),
}

PIECE = b"0123456789abcdef" * 64

_OPERATION = itertools.count()


@dataclass
class Going:
    """One replica's end, as it was seen from outside."""

    code: int
    took: float
    """Seconds from the signal to the end of the process."""
    readyz: int
    """What `/readyz` said right after the signal."""
    kept: list[tuple[int, list[bytes]]] = field(default_factory=list)
    """Status and `Connection` of each answer on a connection that was kept through it."""
    noticed: float = 0.0
    """Seconds until the balancer sent it nothing more."""
    clean: bool = False
    """That connection ended properly after its last answer."""
    transfers: list[str] = field(default_factory=list)
    """What went wrong with the slow upload and download that were in flight."""


class Load:
    """Calls at a steady rate, each where the balancer sends it; two of three with a body."""

    def __init__(self, balancer: Balancer, client: aiohttp.ClientSession) -> None:
        self._balancer = balancer
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self.calls: list[Call] = []

    async def run(self, per_second: float) -> None:
        due = time.monotonic()
        for number in itertools.count():
            due = max(due + 1 / per_second, time.monotonic() - 0.1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._one(number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def rest(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _one(self, number: int) -> None:
        begun, status, problem = time.monotonic(), 0, ""
        url = self._balancer.url()
        # None, one of a length that is told, one in chunks.
        body = [None, json.dumps({"topic": "x" * 100}).encode(), _chunks()][number % 3]
        try:
            async with self._client.request(
                "GET" if body is None else "POST",
                url + (ME if body is None else MEETINGS),
                data=body,
                headers=_operation(),
            ) as answer:
                text = await answer.text()
                status = answer.status
                problem = "" if status < 300 else text[:200]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = f"{url}: {error!r}"
        self.calls.append(Call(0, begun, time.monotonic() - begun, status, problem))


def _operation() -> dict[str, str]:
    """By which the simulator sees a call that acts twice."""
    return {"X-Operation-Id": f"roll-{next(_OPERATION)}", "Content-Type": "application/json"}


async def _chunks() -> AsyncIterator[bytes]:
    for part in (b'{"topic": "', b"y" * 100, b'"}'):
        yield part
        await asyncio.sleep(0)


@asynccontextmanager
async def load(balancer: Balancer, per_second: float) -> AsyncIterator[list[Call]]:
    async with client_session(PATIENCE) as client:
        made = Load(balancer, client)
        running = asyncio.create_task(made.run(per_second))
        try:
            yield made.calls
        finally:
            running.cancel()
            await asyncio.wait([running])
            await made.rest()


async def behind_haproxy(directory: Path, replicas: int, per_second: float) -> Result:
    """Each new replica has the ports of the one before it, so one is missing meanwhile."""
    ports = free_ports(2 * replicas)
    places = list(zip(ports[::2], ports[1::2], strict=True))
    extra = [
        {"ZOOM_GATEWAY_LISTEN__PORT": str(port), "ZOOM_GATEWAY_ADMIN__PORT": str(admin)}
        for port, admin in places
    ]
    async with (
        world(directory, replicas=replicas, extra=extra, env=DRAIN) as one,
        _measured(one, "rolled behind HAProxy") as result,
        haproxy(directory, places) as balancer,
        load(balancer, per_second) as result.calls,
    ):
        ends: list[Going] = []
        for number in range(replicas):
            # Time for it to find the new one.
            await asyncio.sleep(5 * LOOK)
            passed_by = partial(balancer.took_out_more_than, balancer.down())
            ends.append(await _goes(one, one.fleet.gates[number], passed_by))
            await one.fleet.restart(number)
        result.seen["ends"] = ends
        result.seen["taken out by HAProxy"] = balancer.down()
    return result


async def by_endpoints(
    directory: Path, replicas: int, per_second: float, life: float, *serve: str
) -> Result:
    """Each new replica is ready before an old one goes, as a Deployment does it by default.

    Tokens of `life` seconds, in two slots, are rotated meanwhile.
    """
    async with (
        world(
            directory,
            replicas=replicas,
            sim=("--token-life", str(life)),
            env={**DRAIN, **TWO_SLOTS},
            serve=serve,
        ) as one,
        _measured(one, f"rolled behind a Service, {' '.join(serve)}") as result,
        endpoints(one.fleet.gates) as balancer,
        load(balancer, per_second) as result.calls,
    ):
        begun = time.monotonic()
        ends: list[Going] = []
        for number in range(replicas):
            old = one.fleet.gates[number]
            await one.fleet.restart(number)
            balancer.members.append(one.fleet.gates[number])
            await asyncio.sleep(2 * LOOK)
            ends.append(await _goes(one, old, partial(balancer.passes_by, old.url)))
            balancer.members.remove(old)
        result.seen["ends"] = ends
        result.seen["seconds"] = time.monotonic() - begun
    return result


@asynccontextmanager
async def _measured(one: World, scenario: str) -> AsyncIterator[Result]:
    await one.fleet.ready()
    result = Result(scenario, len(one.fleet.gates))
    yield result
    counted = await one.result(scenario, result.calls)
    result.acted_twice, result.mints, result.tale = counted.acted_twice, counted.mints, counted.tale
    result.seen |= counted.seen
    result.seen["unready or broken"] = [
        line["message"]
        for event in ("defect", "store_down", "worker_died", "worker_killed")
        for line in one.fleet.logged(event)
    ]


async def _goes(one: World, gate: Gateway, passed_by: Callable[[], bool]) -> Going:
    """SIGTERM, with a kept connection and slow transfers on it.

    `passed_by` tells whether the balancer has noticed.
    """
    address = urlsplit(gate.url)
    place = (address.hostname or "", address.port or 0)
    async with client_session(30) as client, await Caller.connect(place) as kept:
        first, known = await kept.call(request()), await _transfers(one)
        transfers = [
            asyncio.create_task(_upload(client, gate.url)),
            asyncio.create_task(_download(client, gate.url)),
        ]
        await one.fleet.holds(
            lambda: _transfers(one), lambda seen: seen == known + 2, "slow transfers in flight"
        )
        gate.signal(signal.SIGTERM)
        told = time.monotonic()
        noticing = asyncio.create_task(_noticed(passed_by, told))
        await gate.wait_for_line('"event":"draining"')
        async with client.get(f"{gate.admin}/readyz") as answer:
            going = Going(-1, 0.0, answer.status)
        last = await kept.call(request())
        going.kept = [(heard.status, heard.values(b"connection")) for heard in (first, last)]
        going.clean = await kept.ended() == b""
        found = await asyncio.gather(*transfers)
        going.transfers = [problem for problem in found if problem]
        going.noticed = await noticing
        going.code = await gate.ended()
        going.took = time.monotonic() - told
    return going


async def _noticed(passed_by: Callable[[], bool], told: float) -> float:
    await eventually(passed_by, "a balancer that notices")
    return time.monotonic() - told


async def _transfers(one: World) -> int:
    """How many slow ones ever reached Zoom."""
    counted = (await one.fleet.sim_state())["endpoints"]
    return sum(counted.get(name, 0) for name in ("POST /v2/_sim/upload", "GET /v2/_sim/download"))


async def _upload(client: aiohttp.ClientSession, url: str) -> str:
    """What went wrong with a slow upload, or nothing."""
    pieces = round(OUTLASTS / LOOK)
    sent = hashlib.sha256()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            sent.update(PIECE)
            yield PIECE
            await asyncio.sleep(LOOK)

    try:
        async with client.post(
            f"{url}/v2/_sim/upload", data=body(), headers=_operation()
        ) as answer:
            text = await answer.text()
            whole = answer.status == 200 and json.loads(text)["sha256"] == sent.hexdigest()
            return "" if whole else f"upload: {answer.status} {text}"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"upload: {error!r}"


async def _download(client: aiohttp.ClientSession, url: str) -> str:
    pieces = round(OUTLASTS / LOOK)
    target = f"/v2/_sim/download?size={pieces * 1024}&chunk=1024&pause={LOOK}"
    try:
        async with client.get(url + target, headers=_operation()) as answer:
            content = await answer.read()
            whole = answer.status == 200 and len(content) == pieces * 1024
            return "" if whole else f"download: {answer.status}, {len(content)} bytes"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"download: {error!r}"
