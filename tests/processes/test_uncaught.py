"""Errors that nobody caught, in real processes: told by type and place, no value."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.load import session
from tests.support.processes import (
    ROOT,
    Gateway,
    Process,
    credentials,
    environment,
    eventually,
    gateway,
    simulator,
)

CANARY = "canary-51c7-uncaught"
PROVOKING = {"PYTHONPATH": str(ROOT / "tests/support/provoking"), "PROVOKE": CANARY}
KINDS = ("Thread", "Destructor", "Callback", "ForgottenTask", "Logged")
"""The names of the errors that come with SIGUSR1."""


def shows_nothing(output: str) -> None:
    assert CANARY not in output
    assert "Authorization" not in output
    assert "Traceback" not in output


async def provoked(gate: Gateway) -> None:
    gate.signal(signal.SIGUSR1)
    for kind in KINDS:
        await gate.wait_for_line(kind)
    await gate.wait_for_line("RuntimeWarning")
    await gate.wait_for_line("A message.")


async def test_in_a_thread_a_destructor_a_callback_a_task_a_library_or_a_warning() -> None:
    async with simulator() as sim, gateway(sim, **PROVOKING) as gate, session() as client:
        await provoked(gate)
        said = {entry.get("exception"): entry for entry in gate.logged("library")}
        # It lives on.
        async with client.get(f"{gate.url}/v2/users/me") as answer:
            assert answer.status == 200
    assert {f"sitecustomize.{kind}" for kind in KINDS} < said.keys()
    assert said["sitecustomize.Thread"]["place"].endswith("in fail")
    assert said["sitecustomize.Thread"]["logger"] == "python"
    shows_nothing(gate.output)


async def test_in_the_format_for_people() -> None:
    async with simulator() as sim:
        variables = {**credentials(sim), **PROVOKING, "ZOOM_GATEWAY_LOG__FORMAT": "console"}
        gate = await Gateway.start("serve", env=environment(**variables))
        try:
            await gate.wait_for_line("takes calls on")
            await provoked(gate)  # type: ignore[arg-type]  # start() gives its own class
        finally:
            await gate.kill()
    shows_nothing(gate.output)


async def test_the_death_of_the_main_thread() -> None:
    async with simulator() as sim, gateway(sim, **PROVOKING) as gate:
        gate.signal(signal.SIGUSR2)
        assert await gate.ended() == 1
    told = {entry.get("exception"): entry for entry in gate.logged("library")}
    line = told["sitecustomize.DeathError"]
    assert line["message"] == "An error that nobody caught ends the process."
    assert line["caused_by"] == ["sitecustomize.FirstError"]
    shows_nothing(gate.output)


async def test_in_a_worker_and_its_parent() -> None:
    async with simulator() as sim, gateway(sim, "--workers", "2", **PROVOKING) as gate:
        worker, _ = gate.logged("worker_started")
        os.kill(worker["pid"], signal.SIGUSR1)
        await gate.wait_for_line("ForgottenTask")
        gate.signal(signal.SIGUSR2)
        assert await gate.ended() == 1
        await eventually(lambda: not Path(f"/proc/{worker['pid']}").exists(), "the worker's end")
    assert "Death" in gate.output
    shows_nothing(gate.output)


@pytest.mark.parametrize("command", ["serve", "check"])
async def test_before_there_is_a_log(command: str, tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(f"accounts: {{default: {{account_id: {CANARY}}}}}")
    env = environment(**PROVOKING, PROVOKE_EARLY="1")
    process = await Process.start(command, "--config", str(config), env=env)
    assert await process.ended() == 1
    assert "An error that nobody caught ends the process.: sitecustomize.Early" in process.output
    assert "gateway/settings/file.py" in process.output
    shows_nothing(process.output)
