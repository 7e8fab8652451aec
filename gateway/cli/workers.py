"""What a parent and its workers agree on.

A worker is this program once more, told by a variable of the environment what it is. Parent and
worker talk over a pair of sockets, a line each; its end tells each that the other is gone.
"""

import json
import os
import socket
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from gateway.cli import apart
from gateway.core.errors import ConfigurationError
from gateway.settings import Settings

VARIABLE: Final = "ZOOM_GATEWAY_WORKER"
"""Without `__`, so that it is no key of the configuration."""

LISTENING: Final = b"listening"
RELOADED: Final = b"reloaded"
"""What a worker says. The latter, too, when it could not: it has told why."""

STOP: Final = b"stop"
RELOAD: Final = b"reload"
"""What a parent says; a signal's name follows the former."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is. All but the number and the directory are inherited descriptors."""

    number: int
    listen: list[int]
    admin: list[int]
    channel: int
    lock: int
    directory: str

    @property
    def descriptors(self) -> tuple[int, ...]:
        return (*self.listen, *self.admin, self.channel, self.lock)

    @property
    def metrics(self) -> Path:
        return metrics_in(Path(self.directory))

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def taken(cls, environ: MutableMapping[str, str]) -> "Assignment | None":
        """This process's, which is taken out of the environment; None: it is no worker."""
        text = environ.pop(VARIABLE, None)
        if text is None:
            return None
        assignment = cls(**json.loads(text))
        for descriptor in assignment.descriptors:
            os.set_inheritable(descriptor, False)
        return assignment


def metrics_in(directory: Path) -> Path:
    return directory / "metrics"


def adopt(descriptors: list[int]) -> list[socket.socket]:
    return [socket.socket(fileno=one) for one in descriptors]


def shared(settings: Settings, directory: Path) -> Settings:
    """The settings of a worker: what would be in its memory is in files that all share."""
    if settings.store.url != "memory:":
        return settings
    store = settings.store.model_copy(update={"url": f"file://{directory}/tokens"})
    return settings.model_copy(update={"store": store})


class Source:
    """The configuration file, and the copy of it that is in force.

    Workers read the copy, so that one that is replaced while the file is broken, or half
    written, still starts.
    """

    def __init__(self, config: Path | None, directory: Path) -> None:
        self._config = config
        self.copy = directory / "gateway.yaml" if config else None

    def read(self) -> Settings:
        """Read the file, and put it in force. Raises ConfigurationError; then nothing changed."""
        settings = apart.read(self._config)
        if self._config is None or self.copy is None:
            return settings
        fresh = self.copy.with_suffix(".new")
        try:
            _write(fresh, self._config.read_bytes())
            # The file may be another by now than the one that was just read.
            settings = apart.read(fresh)
            fresh.replace(self.copy)
        except OSError as problem:
            raise ConfigurationError(
                [f"{self._config}: cannot be copied to {self.copy}: {problem.strerror}"]
            ) from None
        return settings


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
