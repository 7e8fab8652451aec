import shlex
import sys
from pathlib import Path

import pytest

from gateway.cli.demo import called_as


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


def test_a_module_is_called_through_its_python(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = here / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    assert called_as(str(here / "gateway/__main__.py")) == ".venv/bin/python -m gateway"
