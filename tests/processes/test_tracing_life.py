"""Tracing from its start to its end: switched on and off, with collectors that fail."""

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.collector import Collector, collector
from tests.support.load import session
from tests.support.processes import Gateway, eventually, gateway, simulator
from tests.support.traced import ROUTE, Scene, scene


async def test_the_collectors_headers_are_read_again_for_each_export(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text("X-Key: first\n")
    async with scene(HEADERS_FILE=str(headers)) as at:
        await at.spans("mint")
        headers.write_text("X-Key: second\n")
        assert await at.get() == 200
        await at.spans(f"GET {ROUTE}", "server")
        headers.unlink()
        assert await at.get() == 200
        await at.end()
        (lost,) = at.gate.logged("spans_lost")
    first, *later = [one["x-key"] for one in at.taken.headers]
    assert (first, set(later)) == ("first", {"second"})
    assert "headers_file" in lost["reason"]
    assert "cannot be read" in lost["reason"]


def _only_lost(gate: Gateway) -> dict[str, Any]:
    """The one line there may be about a collector that fails."""
    (line,) = gate.logged("spans_lost")
    assert (line["level"], gate.logged("library"), gate.logged("defect")) == ("warning", [], [])
    assert "Traceback" not in gate.output
    assert "anary" not in gate.output
    return line


@pytest.mark.parametrize("status", [401, 307])
async def test_a_collector_that_refuses_concerns_no_call_and_is_told_once(status: int) -> None:
    async with scene() as at:
        at.taken.status = status
        for exports in (1, 2, 3):
            assert await at.get() == 200
            await eventually(partial(at.taken.was_asked, exports), "an export")
        await at.end()
    assert _only_lost(at.gate)["reason"] == f"status {status}"
    assert at.taken.strayed == []


async def test_a_collector_that_is_down_holds_up_neither_calls_nor_the_end() -> None:
    # Nobody listens on the discard port of this machine.
    async with scene(to="http://127.0.0.1:9") as at:
        assert await at.get() == 200
        await eventually(lambda: at.gate.logged("call"), "the call's line")
        await at.end()
        assert at.gate.logged("stopped")
    assert _only_lost(at.gate)["reason"] == "ConnectionError"


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
async def test_a_collector_that_hangs_holds_up_neither_calls_nor_the_end(
    options: tuple[str, ...],
) -> None:
    async with scene(*options) as at:
        at.taken.hanging = True
        for _ in range(20):
            assert await at.get() == 200
        await eventually(lambda: at.taken.asked, "an export that hangs")
        for _ in range(20):
            assert await at.get() == 200
        # It waits for ever: the library would for 30 seconds, the gateway does for 3.
        await at.end()
        assert at.gate.logged("worker_killed") == []
    reasons = {one["reason"] for one in at.gate.logged("spans_lost")}
    # An export that began ten seconds before, on a busy machine, was given up.
    assert "no answer within 3 s" in reasons or "ReadTimeout" in reasons
    assert "Traceback" not in at.gate.output


async def test_each_worker_exports_what_it_did() -> None:
    async with scene("--workers", "2") as at:
        for _ in range(40):
            # On a connection of its own, so that any worker may answer.
            async with (
                aiohttp.ClientSession() as client,
                client.get(f"{at.gate.url}/v2/users/me") as answer,
            ):
                assert answer.status == 200
        await at.end()
        calls = await at.spans(f"GET {ROUTE}", "server", 40)
    assert len({one.resource["service.instance.id"] for one in calls}) == 2


async def test_a_reload_switches_spans_on_and_off(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"

    async with collector() as taken, simulator() as sim, session() as client:

        def write(**tracing: Any) -> None:
            file.write_text(json.dumps({"drain": {"delay": 0}, "tracing": tracing}))

        write()
        async with gateway(sim, "--config", str(file)) as gate:
            at = Scene(sim, taken, gate, client)

            async def reload(**tracing: Any) -> None:
                before = len(gate.logged("reloaded"))
                write(**tracing)
                gate.signal(signal.SIGHUP)
                await eventually(lambda: len(gate.logged("reloaded")) > before, "a reload")
                assert gate.logged("reloaded")[-1]["changed"] == ["tracing"]

            assert await at.get("/v2/users/me") == 200
            await reload(endpoint=taken.url)
            assert await at.get() == 200
            await reload(endpoint=taken.url, sample=0, propagate=True)
            # The former one exports what it has, and ends.
            await at.spans(f"GET {ROUTE}", "server")
            assert await at.get() == 200
            await reload()
            assert await at.get() == 200
            await at.end()
        assert len(taken.named(f"GET {ROUTE}", "server")) == 1
        told = ["traceparent" in one for one in await at.at_zoom()]
    assert told == [False, False, False, True, False]
    assert gate.logged("defect") == []


BLIND = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
"""
"""As `sitecustomize`: OpenTelemetry is not installed."""


async def test_without_the_extra_the_start_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLIND)
    blind = {"PYTHONPATH": str(tmp_path)}
    async with simulator() as sim, session() as client:
        async with gateway(sim, **blind) as gate:
            assert await Scene(sim, Collector(), gate, client).get() == 200
        with pytest.raises(AssertionError, match="the process ended with 2") as caught:
            async with gateway(sim, ZOOM_GATEWAY_TRACING__ENDPOINT="http://127.0.0.1:9", **blind):
                pass
    assert (
        "tracing.endpoint (from ZOOM_GATEWAY_TRACING__ENDPOINT): needs an extra that is not "
        "installed: pip install 'zoom-gateway[otel]'"
    ) in str(caught.value)
