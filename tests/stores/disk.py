"""A directory of token files under test."""

import subprocess
import sys
from pathlib import Path

from gateway.stores.file import FileStore

PATIENCE = 30.0
"""Seconds in which a child process must answer; no test waits for them to pass."""

CANARY = "canary-Zx81"

WALL = 1_700_000_000.0


class Disk:
    """A directory with stores in it, whose clock somebody turns."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = WALL
        self.reports: list[str] = []

    def store(self, lock_patience: float = PATIENCE) -> FileStore:
        return FileStore(self.directory, self.reports.append, lambda: self.now, lock_patience)

    @property
    def file(self) -> Path:
        return self.directory / "acc.json"

    def names(self) -> set[str]:
        return {path.name for path in self.directory.iterdir()}

    def kept(self) -> list[Path]:
        return sorted(self.directory.glob("acc.json.corrupt-*"))

    def child(self, task: str, number: int = 0) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.stores.replica", self.directory, task, str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777
