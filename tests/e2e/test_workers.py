"""Several processes that are one gateway: `serve --workers N`."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from gateway.core.events import Minted
from gateway.core.token import Cause
from gateway.observe.metrics import Metrics
from gateway.reports import CallReport
from tests.observe.charts import A0, WALL, fleet, healthy
from tests.support.load import control, counted, metric, session, state
from tests.support.processes import (
    Gateway,
    credentials,
    environment,
    eventually,
    gateway,
    simulator,
)

QUICK = {"ZOOM_GATEWAY_DRAIN__DELAY": "0", "ZOOM_GATEWAY_DRAIN__TIMEOUT": "10"}
CALLS = "zoom_gateway_requests_total"
DIES = """
import os, pathlib, sys
if "ZOOM_GATEWAY_WORKER" in os.environ and pathlib.Path(__file__).with_name("die").exists():
    sys.stderr.write("this worker cannot start\\n")
    sys.stderr.flush()
    os._exit(7)
"""
"""As `sitecustomize`: workers that start while there is a file `die` beside it end at once."""


async def get(url: str, **headers: str) -> tuple[int, str]:
    """On a connection of its own, so that any worker may answer."""
    async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
        return answer.status, await answer.text()


async def status_of(client: aiohttp.ClientSession, url: str) -> int:
    async with client.get(url) as answer:
        await answer.read()
        return answer.status


async def replica(gate: Gateway) -> Any:
    async with aiohttp.ClientSession() as client, client.get(f"{gate.admin}/status.json") as got:
        return await got.json()


async def calls_counted(gate: Gateway) -> float:
    async with aiohttp.ClientSession() as client:
        return sum((await metric(client, gate.admin, CALLS)).values())


def families(text: str) -> dict[str, tuple[str, str, list[Any]]]:
    """Those that something was counted for: workers show no others."""
    found = (one for one in text_format(text) if one.samples)
    return {one.name: (one.type, one.documentation, one.samples) for one in found}


def pids(gate: Gateway) -> dict[int, int]:
    """The newest process of each worker."""
    return {entry["worker"]: entry["pid"] for entry in gate.logged("worker_started")}


async def gone(pid: int) -> None:
    def ended() -> bool:
        try:
            return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return True

    await eventually(ended, f"the end of process {pid}")


def of_one_process() -> str:
    """What the metrics of a gateway without workers look like."""
    metrics = Metrics({"default": (A0,)}, lambda: {"default": healthy()}, lambda: WALL, "1")
    metrics.show_fleet(fleet)
    metrics.call_ended(CallReport("", "", "default", "GET", "other", 200))
    minted = Minted(A0, Cause.START, 1, 3600.0, previous_secret=False, took=0.1)
    metrics.token_event("default", minted)
    return metrics.scrape(None)()[0].decode()


async def looks_like_one(gate: Gateway) -> None:
    """A scrape of workers has what that of one process has, each series once."""
    _, text = await get(f"{gate.admin}/metrics")
    alone, together = families(of_one_process()), families(text)
    # What Python's collector of garbage does is each process's own.
    apart = {name for name in alone if name.startswith("python_gc_")}
    assert together.keys() == alone.keys() - apart
    for name, (kind, explained, samples) in together.items():
        assert (kind, explained) == alone[name][:2]
        series = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in samples]
        assert len(series) == len(set(series))
        labels = {label for sample in samples for label in sample.labels}
        assert labels == {label for sample in alone[name][2] for label in sample.labels}
    fds = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids(gate).values())
    assert together["process_open_fds"][2][0].value >= fds
    accept = "application/openmetrics-text;version=1.0.0"
    _, text = await get(f"{gate.admin}/metrics", Accept=accept)
    told = {family.name for family in openmetrics(text)}  # type: ignore[no-untyped-call]
    assert {"zoom_gateway_build", "zoom_gateway_requests", "process_cpu_seconds"} <= told


async def test_workers_are_one_gateway(tmp_path: Path) -> None:
    async with (
        simulator() as sim,
        session() as client,
        gateway(sim, "--workers", "4", XDG_RUNTIME_DIR=str(tmp_path), **QUICK) as gate,
    ):
        answers = await asyncio.gather(*(get(f"{gate.url}/v2/users/me") for _ in range(60)))
        assert {status for status, _ in answers} == {200}
        # All in one file store, and a cold start of all costs one mint.
        assert (await state(client, sim))["mints"]["total"] == 1
        seen = [await replica(gate) for _ in range(20)]
        assert len({one["replica"]["pid"] for one in seen}) > 1
        assert {one["replica"]["pid"] for one in seen} <= set(pids(gate).values())
        assert {one["accounts"][0]["totals"]["calls"] for one in seen} == {60}
        assert {one["accounts"][0]["totals"]["mints"] for one in seen} == {1}
        assert [await calls_counted(gate) for _ in range(8)] == [60] * 8
        assert len(gate.logged("started")) == 1
        await looks_like_one(gate)
        (private,) = tmp_path.iterdir()
        assert private.stat().st_mode & 0o777 == 0o700

        gate.signal(signal.SIGTERM)
        assert await gate.ended() == 0
        assert list(tmp_path.iterdir()) == []


async def test_a_worker_that_is_killed_is_replaced_and_no_count_is_lost() -> None:
    async with simulator() as sim, session() as client:
        await control(client, sim, "config", {"mode": "multi"})
        async with gateway(sim, "--workers", "2", **QUICK) as gate:
            first = pids(gate)
            counts: list[float] = []

            async def scrape() -> None:
                while True:
                    counts.append(await calls_counted(gate))
                    await asyncio.sleep(0.05)

            scraping = asyncio.create_task(scrape())
            outcomes: list[int | None] = []
            in_hand = 0

            async def call() -> None:
                try:
                    outcomes.append((await get(f"{gate.url}/v2/users/me"))[0])
                except aiohttp.ClientError:
                    outcomes.append(None)

            async with asyncio.TaskGroup() as group:
                for number in range(200):
                    group.create_task(call())
                    if number == 100:
                        in_hand = number + 1 - len(outcomes)
                        os.kill(first[1], signal.SIGKILL)
                    await asyncio.sleep(0.01)
            # The calls that the worker had in hand are lost with it, and no other.
            assert outcomes.count(200) + outcomes.count(None) == 200
            assert outcomes.count(None) <= in_hand
            (died,) = gate.logged("worker_died")
            assert (died["worker"], died["signal"], died["exit_code"]) == (1, "SIGKILL", None)
            assert died["restart_in"] == 0
            assert pids(gate)[1] != first[1]
            assert pids(gate)[2] == first[2]
            scraping.cancel()
            counts.append(await calls_counted(gate))
            assert counts == sorted(counts)
            assert outcomes.count(200) <= counts[-1] <= 200
            inflight = await metric(client, gate.admin, "zoom_gateway_inflight_requests")
            assert inflight[""] == 0
            cpu = await metric(client, gate.admin, "process_cpu_seconds_total")
            assert cpu[""] > 0
            assert len(gate.logged("started")) == 1


async def test_a_worker_that_cannot_start_again_leaves_its_callers_to_the_others(
    tmp_path: Path,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(DIES)
    own = {"PYTHONPATH": str(tmp_path), "ZOOM_GATEWAY_LISTEN__HOST": "0.0.0.0"}
    async with simulator() as sim, gateway(sim, "--workers", "2", **own, **QUICK) as gate:
        (tmp_path / "die").touch()
        os.kill(pids(gate)[1], signal.SIGKILL)
        await eventually(
            lambda: (
                gate.logged("worker_died")[-1:]
                and gate.logged("worker_died")[-1]["restart_in"] >= 2
            ),
            "a worker that died again and again",
        )
        died = gate.logged("worker_died")
        assert {one["exit_code"] for one in died[1:]} == {7}
        pauses = [one["restart_in"] for one in died]
        assert pauses == sorted(pauses)
        assert pauses[0] == 0
        url = gate.url.replace("0.0.0.0", "127.0.0.1")
        statuses = [await get(f"{url}/v2/users/me") for _ in range(20)]
        assert {status for status, _ in statuses} == {200}
        (tmp_path / "die").unlink()
        last = gate.logged("worker_died")[-1]["timestamp"]
        await eventually(
            lambda: gate.logged("worker_started")[-1]["timestamp"] > last, "a new worker"
        )
        (pid,) = {entry["pid"] for entry in gate.logged("worker_started")[-1:]}
        async with asyncio.timeout(30):
            while (await replica(gate))["replica"]["pid"] != pid:
                pass


async def test_workers_of_which_none_starts_are_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(DIES)
    (tmp_path / "die").touch()
    env = environment(**credentials("http://127.0.0.1:9"), PYTHONPATH=str(tmp_path))
    child = await Gateway.start("serve", "--workers", "2", env=env)
    assert await child.ended() == 7
    assert "this worker cannot start" in child.output
    assert len(child.logged("worker_started")) == 2
    assert child.logged("started") == []


async def test_sigterm_lets_calls_in_hand_finish() -> None:
    slow = {"ZOOM_GATEWAY_DRAIN__DELAY": "0.5", "ZOOM_GATEWAY_DRAIN__TIMEOUT": "10"}
    async with (
        simulator() as sim,
        session() as client,
        gateway(sim, "--workers", "2", **slow) as gate,
    ):
        await control(client, sim, "faults", {"delay": 2.0}, "PUT")
        calls = [asyncio.create_task(get(f"{gate.url}/v2/users/me")) for _ in range(8)]
        await counted(client, sim, "calls", 8)
        # A service manager may send it to every process; the parent says the same again.
        gate.signal(signal.SIGTERM)
        for pid in pids(gate).values():
            os.kill(pid, signal.SIGTERM)
        assert {status for status, _ in await asyncio.gather(*calls)} == {200}
        assert await gate.ended() == 0


async def test_workers_end_when_their_parent_is_killed_and_the_next_one_cleans_up(
    tmp_path: Path,
) -> None:
    own = {"ZOOM_GATEWAY_DRAIN__DELAY": "60", "XDG_RUNTIME_DIR": str(tmp_path)}
    async with simulator() as sim, session() as client:
        await control(client, sim, "faults", {"delay": 1.0}, "PUT")
        async with gateway(sim, "--workers", "2", **own) as gate:
            # Ctrl-C reaches the whole group of processes.
            for pid in pids(gate).values():
                os.kill(pid, signal.SIGINT)
                os.kill(pid, signal.SIGHUP)
            call = asyncio.create_task(get(f"{gate.url}/v2/users/me"))
            await counted(client, sim, "calls", 1)
            gate.signal(signal.SIGKILL)
            assert (await call)[0] == 200
            for pid in pids(gate).values():
                await gone(pid)
            (left,) = tmp_path.iterdir()
        async with gateway(sim, "--workers", "2", **own) as gate:
            assert left not in tmp_path.iterdir()
            gate.signal(signal.SIGTERM)
            await gate.wait_for_line('"event":"draining"')
            # A second one ends all at once.
            gate.signal(signal.SIGTERM)
            assert await gate.ended(10) == 128 + signal.SIGTERM
            for pid in pids(gate).values():
                await gone(pid)
        assert list(tmp_path.iterdir()) == []


async def test_two_gateways_do_not_share_a_port_unawares() -> None:
    hosts = {"ZOOM_GATEWAY_LISTEN__HOST": "::1", "ZOOM_GATEWAY_ADMIN__HOST": "::1"}
    async with simulator() as sim, gateway(sim, "--workers", "2", **hosts) as first:
        assert first.url.startswith("http://[::1]:")
        assert {(await get(f"{first.url}/v2/users/me"))[0] for _ in range(4)} == {200}
        port = first.url.rpartition(":")[2]
        taken = {**credentials(sim), **hosts, "ZOOM_GATEWAY_LISTEN__PORT": port}
        second = await Gateway.start("serve", "--workers", "2", env=environment(**taken))
        assert await second.ended() == 1
        assert f"cannot listen on [::1]:{port}" in second.output
        assert "Traceback" not in second.output


@pytest.mark.parametrize("count", ["0", "-1", "65", "many"])
async def test_a_number_of_workers_that_makes_no_sense_is_refused(count: str) -> None:
    child = await Gateway.start("serve", "--workers", count, env=environment())
    assert await child.ended() == 2
    assert "--workers" in child.output
    assert "Traceback" not in child.output
