"""Lines of a share of the calls that went well, from a real gateway."""

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.load import session
from tests.support.processes import Gateway, eventually, gateway, simulator

GOOD, BAD = "/v2/users/me", "/@nobody/v2/users/me"


async def call(client: aiohttp.ClientSession, gate: Gateway, target: str, times: int) -> None:
    for _ in range(times):
        async with client.get(f"{gate.url}{target}") as answer:
            await answer.read()


async def lines(
    client: aiohttp.ClientSession, gate: Gateway, seen: int
) -> Counter[tuple[int, float | None]]:
    """The new lines by status and rate, once all calls so far have theirs or get none."""
    # The line of this one comes after those of the others, on one connection.
    await call(client, gate, f"{BAD}?last", 1)
    before = len(gate.logged("call"))

    def told() -> list[Any]:
        return [one for one in gate.logged("call")[seen:] if one["status"] == 404]

    await eventually(lambda: len(told()) >= 6, f"the lines of refused calls after {before}")
    return Counter((one["status"], one.get("sample_rate")) for one in gate.logged("call")[seen:])


async def test_a_share_is_logged_all_errors_are_and_a_reload_changes_it(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(json.dumps({"log": {"sample": 0.5}}))
    async with simulator() as sim, session() as client, gateway(sim, "--config", str(file)) as gate:

        async def reload(sample: float) -> None:
            before = len(gate.logged("reloaded"))
            file.write_text(json.dumps({"log": {"sample": sample}}))
            gate.signal(signal.SIGHUP)
            await eventually(lambda: len(gate.logged("reloaded")) > before, "a reload")

        await call(client, gate, GOOD, 100)
        await call(client, gate, BAD, 5)
        half = await lines(client, gate, 0)
        # Outside of this once in 10^9 times.
        assert 20 <= half.pop((200, 0.5)) <= 80
        assert half == {(404, None): 6}

        await reload(0)
        seen = len(gate.logged("call"))
        await call(client, gate, GOOD, 20)
        await call(client, gate, BAD, 5)
        assert await lines(client, gate, seen) == {(404, None): 6}

        await reload(1)
        seen = len(gate.logged("call"))
        await call(client, gate, GOOD, 20)
        await call(client, gate, BAD, 5)
        assert await lines(client, gate, seen) == {(200, None): 20, (404, None): 6}


async def test_whoever_logs_a_trace_does_so_everywhere() -> None:
    """Two gateways, one trace: both write its line, or none does."""
    share = {"ZOOM_GATEWAY_LOG__SAMPLE": "0.5"}
    async with (
        # Neither kills the other's token: calls that are replayed are always logged.
        simulator("--mode", "multi") as sim,
        session() as client,
        gateway(sim, **share) as one,
        gateway(sim, **share) as other,
    ):
        for number in range(1, 41):
            trace = f"{number * 0x9E3779B97F4A7C15 % 2**64:032x}"
            for gate in (one, other):
                headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-00"}
                async with client.get(f"{gate.url}{GOOD}", headers=headers) as answer:
                    assert answer.status == 200
        told = []
        for gate in (one, other):
            await call(client, gate, BAD, 1)
            await gate.wait_for_line('"status":404')
            told.append([x["trace_id"] for x in gate.logged("call") if x["status"] == 200])
    assert told[0] == told[1]
    assert 5 < len(told[0]) < 35
