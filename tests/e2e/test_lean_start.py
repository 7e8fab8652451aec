"""What serving does without: libraries that are for other commands, stores, listeners or pages.

Each would be paid for in every pod, by memory and by the time until the first call. Neither is
measured here, where machines differ, but what was imported by then.
"""

import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.load import session
from tests.support.processes import (
    ROOT,
    Gateway,
    credentials,
    environment,
    eventually,
    simulator,
)

WITHOUT = (
    # Other commands, and tracebacks in colours. (structlog's attempt to import `rich` is listed.)
    "click",
    "rich.console",
    "pygments",
    # A store that is shared, or encrypted; certificates for TLS.
    "redis",
    "cryptography",
    # The status page, once somebody looks.
    "jinja2",
    "markupsafe",
    # An answer that is compressed so, and may be a refusal.
    "zstandard",
    # Tracing.
    "opentelemetry",
    "requests",
    # A router and applications: neither port has one.
    "aiohttp.web",
    "aiohttp.web_app",
    "aiohttp.web_urldispatcher",
    # The simulator, and the doctor.
    "gateway.sim",
    "gateway.cli.doctor",
)

WITH = ("aiohttp.web_protocol", "structlog", "prometheus_client", "gateway.web.proxy")
"""What it cannot do without: so the list of what was imported is one."""

READ_WITH = ("pydantic_core", "yaml", "gateway.settings.loader")
"""What a configuration is read with: by another process, which has ended by then."""

READ_WITH_LIBRARIES = ("pydantic_core/", "yaml/_yaml")
"""Their machine code, as the kernel knows it."""

LISTING = """
import os, sys

file = os.open(os.environ["IMPORTED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def listed(event, details):
    if event == "import":
        os.write(file, f"{os.getpid()} {details[0]}\\n".encode())

sys.addaudithook(listed)
"""
"""Loaded by every Python that finds it on its path: tells who imports what."""


def alive(pid: int) -> list[int]:
    """A process, and those that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in alive(int(child)))]


def libraries(pid: int) -> str:
    """What of the packages' own machine code is in a process, and in those that it started."""
    return "".join(Path(f"/proc/{one}/maps").read_text() for one in alive(pid))


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
async def test_reading_the_configuration_leaves_nothing_behind(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("log: {level: info}\n")
    async with simulator() as sim:
        env = environment(**credentials(sim))
        gate = await Gateway.start("serve", "--config", str(file), *options, env=env)
        assert isinstance(gate, Gateway)
        try:
            await gate.listening()
            before = libraries(gate.child.pid)
            file.write_text("log: {level: debug}\n")
            gate.signal(signal.SIGHUP)
            await eventually(lambda: gate.logged("reloaded"), "the other configuration in force")
            after = libraries(gate.child.pid)
        finally:
            await gate.kill()
    for found in (before, after):
        assert "uvloop/loop" in found
        assert not [name for name in READ_WITH_LIBRARIES if name in found]


@pytest.mark.parametrize("name", [*WITHOUT, *WITH, *READ_WITH])
def test_there_is_what_could_be_imported(name: str) -> None:
    assert find_spec(name) is not None


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
async def test_a_call_is_served_without(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(LISTING)
    file = tmp_path / "gateway.yaml"
    file.write_text("log: {level: info}\n")
    listed = tmp_path / "imported"
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "IMPORTED": str(listed)}
    async with simulator() as sim, session() as client:
        env = environment(**credentials(sim), **path)
        gate = await Gateway.start("serve", "--config", str(file), *options, env=env)
        assert isinstance(gate, Gateway)
        try:
            await gate.listening()
            for url in (f"{gate.url}/v2/users/me", f"{gate.admin}/livez", f"{gate.admin}/metrics"):
                async with client.get(url) as answer:
                    assert answer.status == 200
            serving = set(map(str, alive(gate.child.pid)))
        finally:
            await gate.kill()
    lines = [line.split() for line in listed.read_text().splitlines()]
    imported = {name for pid, name in lines if pid in serving}
    assert imported.issuperset(WITH)
    assert imported.isdisjoint((*WITHOUT, *READ_WITH)), imported.intersection(WITHOUT)
    assert {name for pid, name in lines if pid not in serving}.issuperset(READ_WITH)
