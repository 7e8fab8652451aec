"""Faults of a whole process: many callers that vanish, stores that fail, disks and descriptors that
run out, signals. After each, all is as it was.
"""

import asyncio
import resource
import signal
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.soak.calls import Callers, Plan, head, wrong
from tests.soak.length import pick
from tests.soak.place import UNWANTED, Place, place
from tests.support.outside import Sight
from tests.support.processes import eventually
from tests.support.raw_http import Caller
from tests.support.wrecks import Wreck, download

pytestmark = pytest.mark.timeout(900)  # a busy machine takes its time

CALLERS = 1000
MIB = 1 << 20

SMALL = 4096
"""Bytes that a caller of the crowd reads ahead."""

_RESET = struct.pack("ii", 1, 0)


def vanish(caller: Caller) -> None:
    wire = caller.writer.get_extra_info("socket")
    if wire.fileno() >= 0:  # the gateway may have been first
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    caller.writer.transport.abort()


async def good(made: Place, plan: Plan, count: int = 20) -> None:
    """Calls that nothing disturbs get what they ask for."""
    callers = Callers(made.address)
    for number in range(count):
        nonce = f"good-{time.monotonic_ns()}-{number}"
        outcome = await callers.call(plan, nonce)
        assert not wrong(plan, nonce, outcome, made.zoom.acted[nonce]), str(outcome)
    callers.close()


POST = Plan("post", "POST", upload=1000)


@asynccontextmanager
async def watched(made: Place, slack: int = 4) -> AsyncIterator[Sight]:
    """Nothing is left over after the block, and good calls go through."""
    await good(made, POST)
    made.zoom.hang_up()
    before = made.look()
    yield before
    await good(made, POST)
    await made.settled(before, slack)
    assert made.zoom.violations == []
    assert not UNWANTED & set(made.gate.events()), made.gate.output[-3000:]


@asynccontextmanager
async def crowd(made: Place, data: bytes, size: int = CALLERS) -> AsyncIterator[None]:
    """So many callers that have said something; they vanish at the end of the block."""
    turn = asyncio.Semaphore(100)
    callers: list[Caller] = []

    async def one() -> None:
        async with turn:
            wire = socket.socket()
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            wire.setblocking(False)
            await asyncio.get_running_loop().sock_connect(wire, made.address)
            streams = await asyncio.open_connection(sock=wire, limit=SMALL)
            callers.append(Caller(*streams))
            await callers[-1].send(data)

    try:
        await asyncio.gather(*(one() for _ in range(size)))
        yield
    finally:
        for caller in callers:
            vanish(caller)


async def inflight(made: Place, least: int, most: int = CALLERS) -> None:
    end = time.monotonic() + 60
    while not least <= (now := await made.metric("inflight_requests")) <= most:
        assert time.monotonic() < end, f"{now} calls in hand"
        await asyncio.sleep(0.05)


WAYS = {
    "waiting for a token": Plan("vanish"),
    "waiting for an answer": Plan("vanish", delay=60),
    "in the upload": Plan("vanish", "POST", upload=200_000),
    "in the download": Plan("vanish", size=8_000_000),
}


async def test_a_thousand_callers_vanish_in_the_middle_of_their_calls(tmp_path: Path) -> None:
    patient = {"token": {"wait_timeout": 60}}
    async with place(tmp_path, sections=patient) as made, watched(made) as before:
        for way, plan in WAYS.items():
            if way == "waiting for a token":
                made.sim.control.put_faults(mint_status=503)
                made.sim.control.kill()
            data = head(plan, "vanish")
            if plan.upload:
                data += download("vanish", plan.upload // 2)
            # A thousand downloads are a gigabyte in buffers on their way.
            size = pick(200, CALLERS) if plan.size else CALLERS
            async with crowd(made, data, size):
                await inflight(made, size)
            await inflight(made, 0, 0)
            made.sim.control.clear_faults()
            sight = await made.settled(before, slack=4)
            assert sight.at(made.port) == 0, way
            await good(made, POST)
        assert made.zoom.acted["vanish"] == 0


async def test_a_thousand_callers_that_wait_for_the_token_endpoint_are_told(tmp_path: Path) -> None:
    """It fails for longer than they wait; when it is well again, so is all."""
    fast = {"token": {"wait_timeout": 2, "mint_timeout": 1}}
    async with place(tmp_path, sections=fast) as made, watched(made):
        for fault in ({"mint_status": 500}, {"mint_drop": "before"}, {"mint_delay": 5.0}):
            made.sim.control.put_faults(**fault)
            made.sim.control.kill()
            callers = Callers(made.address)
            calls = [callers.call(Plan("get"), f"n-{n}") for n in range(CALLERS // 4)]
            outcomes = Counter((one.status, one.slug) for one in await asyncio.gather(*calls))
            assert set(outcomes) <= {(503, "token_unavailable"), (401, "")}, outcomes
            callers.close()
            made.sim.control.clear_faults()
            await recovered(made)


async def recovered(made: Place) -> None:
    """Wait until a call gets through again: minting is tried again by itself."""
    end = time.monotonic() + 40
    callers = Callers(made.address)
    while (await callers.call(Plan("get"), "again")).status != 200:
        assert time.monotonic() < end, made.gate.output[-2000:]
        await asyncio.sleep(0.1)
    callers.close()


async def test_a_disk_that_is_full_costs_a_replay_and_no_call(tmp_path: Path) -> None:
    """Files may have 100 KB: what else would fill a disk, without being root?"""
    async with place(tmp_path) as made, watched(made):
        limit = (100_000, 100_000)
        resource.prlimit(made.gate.child.pid, resource.RLIMIT_FSIZE, limit)
        await good(made, Plan("upload", "POST", upload=2 * MIB), 10)
        made.sim.control.kill()
        callers = Callers(made.address)
        outcome = await callers.call(Plan("upload", "POST", upload=2 * MIB), "refused")
        callers.close()
        # Zoom's own answer; and the token was replaced for the others.
        assert (outcome.status, outcome.slug) == (401, ""), str(outcome)
        assert made.zoom.acted["refused"] == 0
        assert made.gate.events()["body_not_kept"] >= 1
        await good(made, POST)


async def test_a_process_without_descriptors_recovers(tmp_path: Path) -> None:
    async with place(tmp_path) as made, watched(made) as before:
        pid = made.gate.child.pid
        was = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (before.open + 40, was[1]))
        async with crowd(made, head(Plan("none", delay=1), "none")):
            await asyncio.sleep(pick(1, 10))
        await eventually(lambda: made.look().at(made.port) == 0, "all callers are gone")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, was)


async def test_a_store_that_hangs_dies_and_comes_back(tmp_path: Path) -> None:
    async with place(tmp_path, redis=True) as made, watched(made, slack=12):
        assert made.redis is not None
        for stop, start in (
            (made.redis.pause, made.redis.resume),
            (made.redis.kill, made.redis.start),
        ):
            stop()
            began = time.monotonic()
            await good(made, POST, 200)
            # A call does not wait for a store while its token is good.
            assert time.monotonic() - began < 20
            await asyncio.sleep(0.5)
            await asyncio.to_thread(start)
            end = time.monotonic() + 30
            while await made.metric("store_up") != 1:
                assert time.monotonic() < end
                await asyncio.sleep(0.1)
            made.sim.control.kill()
            await good(made, POST)


async def test_a_storm_of_hang_ups_costs_no_call_and_leaves_nothing(tmp_path: Path) -> None:
    async with place(tmp_path) as made, watched(made):
        storm = asyncio.create_task(hang_ups(made, pick(60, 2000)))
        while not storm.done():
            await good(made, POST, 10)
            await good(made, Plan("get"), 10)
        await storm
        await eventually(lambda: made.gate.events()["reloaded"] >= 1, "a reload")


async def hang_ups(made: Place, count: int) -> None:
    for number in range(count):
        made.write(upstream={"connect_timeout": 3 + number % 2})
        made.gate.signal(signal.SIGHUP)
        await asyncio.sleep(0.02)


async def test_told_to_stop_in_the_middle_of_it_all(tmp_path: Path) -> None:
    """Calls that end in time end well, the others are cut, and the process ends with 0."""
    drain = {"drain": {"delay": 0.2, "timeout": 4}}
    async with place(tmp_path, redis=True, sections=drain) as made:
        await good(made, POST, 1)
        callers = Callers(made.address)
        held = Plan("held", "POST", Wreck.HELD, upload=300_000)
        endless = Plan("endless", delay=60)
        calls = {
            plan: [asyncio.create_task(callers.call(plan, f"{plan.kind}-{n}")) for n in range(100)]
            for plan in (held, endless)
        }
        await inflight(made, 200)
        await eventually(lambda: made.zoom.acted.total() == 101, "all bodies have arrived")
        async with crowd(made, head(Plan("vanish", delay=60), "vanish"), 100):
            await inflight(made, 201)
        made.gate.signal(signal.SIGTERM)
        await made.gate.wait_for_line('"event":"draining"')
        made.zoom.release.set()
        assert await made.gate.ended() == 0
        for number, task in enumerate(calls[held]):
            nonce = f"held-{number}"
            outcome = await task
            assert not wrong(held, nonce, outcome, made.zoom.acted[nonce]), str(outcome)
        assert Counter([(await task).status for task in calls[endless]]) == {0: 100}
        callers.close()
        assert not UNWANTED & set(made.gate.events()), made.gate.output
    assert not list((tmp_path / "kept").iterdir())
