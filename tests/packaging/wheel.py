"""Builds the distributions and installs the wheel where no clone can be seen."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Final

from tests.support.processes import ROOT, environment

EPOCH: Final = "1767225600"
"""2026-01-01: the time of all members of an archive, unless the environment says another."""


def run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(source: Path, target: Path, *kinds: str) -> Path:
    """Build the distributions of `source` into `target`. Needs no network."""
    env = {"SOURCE_DATE_EPOCH": EPOCH, **os.environ}
    options = [f"--target={kind}" for kind in kinds]
    run(
        sys.executable, "-m", "hatchling", "build", "-d", str(target), *options, cwd=source, env=env
    )
    return target


def wheel_of(directory: Path) -> Path:
    (found,) = directory.glob("*.whl")
    return found


def sdist_of(directory: Path) -> Path:
    (found,) = directory.glob("*.tar.gz")
    return found


def unpack(sdist: Path, target: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(target, filter="data")
    (found,) = target.iterdir()
    return found


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return BytesParser().parsebytes(archive.read(name))


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel; its dependencies are those of the tests' own."""

    home: Path

    @property
    def python(self) -> Path:
        return self.home / "bin" / "python"

    @property
    def program(self) -> Sequence[str]:
        return (str(self.home / "bin" / "zoom-gateway"),)

    def run(self, *arguments: str, **variables: str) -> str:
        return run(*self.program, *arguments, cwd=self.home, env=environment(**variables))


def install(wheel: Path, home: Path) -> Installed:
    """Install the wheel alone.

    Dependencies are seen through a path file. Path files in the folder that it names are not read,
    so the clone, which the tests' own environment sees by one, is not.
    """
    venv.create(home, with_pip=False)
    installed = Installed(home)
    pip = (sys.executable, "-m", "pip", "--python", str(installed.python), "--quiet")
    options = ("--no-index", "--no-deps", "--disable-pip-version-check")
    run(*pip, "install", *options, str(wheel), cwd=home)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return installed


def tracked(folder: str) -> set[str]:
    """The files of a folder that belong to the project, by their paths in the clone."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
