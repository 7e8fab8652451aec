"""What a Deployment relies on when it stops a pod: at any moment, and within its time."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.support.load import control, counted, session
from tests.support.processes import (
    Gateway,
    credentials,
    environment,
    eventually,
    gateway,
    simulator,
)

DELAY, TIMEOUT = 1.0, 2.0
DRAIN = {
    "ZOOM_GATEWAY_DRAIN__DELAY": str(DELAY),
    "ZOOM_GATEWAY_DRAIN__TIMEOUT": str(TIMEOUT),
}
SMALL = 10.0
"""Seconds beyond the delay and the timeout, on a busy machine: for cutting and closing."""

NOBODY = "http://127.0.0.1:9"

WORKERS = pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])


async def status_of(client: aiohttp.ClientSession, url: str) -> int:
    """0: nobody listens there any more."""
    try:
        async with client.get(url) as answer:
            await answer.read()
            return answer.status
    except aiohttp.ClientError:
        return 0


async def stops(gate: Gateway, within: float = DELAY + TIMEOUT + SMALL) -> float:
    """SIGTERM; give how long it took."""
    told = time.monotonic()
    gate.signal(signal.SIGTERM)
    assert await gate.ended(within) == 0, gate.output
    assert "Traceback" not in gate.output
    assert not gate.logged("defect")
    return time.monotonic() - told


@asynccontextmanager
async def begun(*options: str, **variables: str) -> AsyncIterator[Gateway]:
    """A gateway of which nobody waits that it listens."""
    env = environment(**{**credentials(NOBODY), **variables})
    child = await Gateway.start("serve", *options, env=env)
    assert isinstance(child, Gateway)
    try:
        yield child
    finally:
        await child.kill()


async def test_the_admin_listener_answers_until_the_last_call_has_ended() -> None:
    async with simulator() as sim, session() as client, gateway(sim, **DRAIN) as gate:
        assert await status_of(client, f"{gate.url}/v2/users/me") == 200
        await control(client, sim, "faults", {"delay": DELAY + 1.0}, "PUT")
        call = asyncio.create_task(status_of(client, f"{gate.url}/v2/users/me"))
        await counted(client, sim, "calls", 2)
        gate.signal(signal.SIGTERM)
        await gate.wait_for_line('"event":"draining"')
        seen = []
        while not call.done():
            pages = ("livez", "readyz", "metrics", "status.json")
            looks = [status_of(client, f"{gate.admin}/{page}") for page in pages]
            found = await asyncio.gather(*looks)
            # It may end between the last byte of the call and this look.
            if not call.done():
                seen.append(found)
        assert await call == 200
        assert len(seen) >= 5
        assert {tuple(found) for found in seen} == {(200, 503, 200, 200)}
        assert await gate.ended() == 0


@WORKERS
async def test_a_call_without_end_is_cut_in_time(workers: tuple[str, ...]) -> None:
    async with simulator() as sim, session() as client, gateway(sim, *workers, **DRAIN) as gate:
        await control(client, sim, "faults", {"delay": 60.0}, "PUT")
        call = asyncio.create_task(status_of(client, f"{gate.url}/v2/users/me"))
        await counted(client, sim, "calls", 1)
        took = await stops(gate)
        assert took >= DELAY + TIMEOUT - 0.1
        assert await call == 0


@WORKERS
async def test_while_zoom_is_down_it_stops_as_well(workers: tuple[str, ...]) -> None:
    """Calls that wait for a token that does not come are answered, or cut, in time."""
    async with session() as client, begun(*workers, **DRAIN) as gate:
        await gate.listening()
        assert await status_of(client, f"{gate.admin}/readyz") == 503
        call = asyncio.create_task(status_of(client, f"{gate.url}/v2/users/me"))
        await eventually(lambda: gate.logged("mint_failed"), "a mint that failed")
        await stops(gate)
        assert await call in {0, 503}


@WORKERS
async def test_before_it_is_ready_it_stops_as_well(workers: tuple[str, ...]) -> None:
    """In the middle of its first mint."""
    async with simulator() as sim, session() as client:
        await control(client, sim, "faults", {"mint_delay": 1.5}, "PUT")
        async with gateway(sim, *workers, **DRAIN) as gate:
            assert await status_of(client, f"{gate.admin}/readyz") == 503
            await stops(gate)


@WORKERS
async def test_as_soon_as_it_says_anything_it_heeds_the_signal(workers: tuple[str, ...]) -> None:
    async with begun(*workers, **DRAIN) as gate:
        await gate.wait_for_line('"event":"worker_started"' if workers else '"event":"started"')
        await stops(gate)


@WORKERS
async def test_a_second_signal_ends_at_once_whatever_is_in_hand(workers: tuple[str, ...]) -> None:
    slow = {"ZOOM_GATEWAY_DRAIN__DELAY": "60", "ZOOM_GATEWAY_DRAIN__TIMEOUT": "60"}
    async with simulator() as sim, session() as client, gateway(sim, *workers, **slow) as gate:
        await control(client, sim, "faults", {"delay": 60.0}, "PUT")
        call = asyncio.create_task(status_of(client, f"{gate.url}/v2/users/me"))
        await counted(client, sim, "calls", 1)
        gate.signal(signal.SIGTERM)
        await gate.wait_for_line('"event":"draining"')
        gate.signal(signal.SIGTERM)
        assert await gate.ended(SMALL) == 128 + signal.SIGTERM
        assert await call == 0


async def test_a_worker_that_hangs_does_not_hold_up_the_others_for_ever() -> None:
    """It is killed, later than it should have ended by itself."""
    async with simulator() as sim, gateway(sim, "--workers", "2", **DRAIN) as gate:
        (stuck, *_) = [entry["pid"] for entry in gate.logged("worker_started")]
        os.kill(stuck, signal.SIGSTOP)
        gate.signal(signal.SIGTERM)
        assert await gate.ended(DELAY + TIMEOUT + 10.0 + SMALL) == 0
        (killed,) = gate.logged("worker_killed")
        assert killed["pid"] == stuck
