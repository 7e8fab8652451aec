import shlex
import sys
from pathlib import Path

import aiohttp
import pytest

from gateway.cli.demo import called_as, what_to_try
from tests.support.processes import Process, environment


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "a clone"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("argv0", "words"),
    [
        (".venv/bin/zoom-gateway", ".venv/bin/zoom-gateway"),
        ("./.venv/bin/zoom-gateway", ".venv/bin/zoom-gateway"),
        ("/opt/zoom/bin/zoom-gateway", "/opt/zoom/bin/zoom-gateway"),
        ("/opt/my tools/zoom-gateway", "'/opt/my tools/zoom-gateway'"),
        ("zoom-gateway", "./zoom-gateway"),
    ],
)
def test_the_program_is_named_so_that_another_terminal_finds_it(argv0: str, words: str) -> None:
    assert called_as(argv0) == words


def test_a_path_below_the_working_directory_is_relative(here: Path) -> None:
    assert called_as(str(here / ".venv/bin/zoom-gateway")) == ".venv/bin/zoom-gateway"
    (program,) = shlex.split(called_as(str(here.parent / "zoom-gateway")))
    assert program == str(here.parent / "zoom-gateway")


def test_at_the_root_a_path_is_given_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert called_as("/opt/zoom-gateway/bin/zoom-gateway") == "/opt/zoom-gateway/bin/zoom-gateway"


def test_a_module_is_called_through_its_python(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = here / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    assert called_as(str(here / "gateway/__main__.py")) == ".venv/bin/python -m gateway"


async def test_on_all_addresses_the_demo_names_one_that_can_be_called() -> None:
    ports = ("--port", "0", "--admin-port", "0", "--sim-port", "0")
    child = await Process.start("demo", *ports, env=environment(ZOOM_GATEWAY_DEMO_HOST="0.0.0.0"))
    try:
        line = await child.wait_for_line("The gateway listens on ")
        port = int(line.partition("http://127.0.0.1:")[2].partition(",")[0])
        async with (
            aiohttp.ClientSession() as client,
            # Another address of loopback: what listens on 127.0.0.1 alone is not there.
            client.get(f"http://127.0.0.2:{port}/v2/users") as answer,
        ):
            assert answer.status == 200
    finally:
        await child.kill()


def test_what_to_try_stands_in_columns() -> None:
    text = what_to_try(
        listen="l:1", admin="a:2", sim="http://a.long.name:3", program="zoom-gateway"
    )
    notes = ("no credentials", "kill the token", "... and nobody", "Zoom refuses", "all is well")
    columns = {line.index(note) for line in text.splitlines() for note in notes if note in line}
    assert len(columns) == 1
    assert text.count("nobody notices") == 1
