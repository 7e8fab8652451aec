import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from structlog.typing import FilteringBoundLogger

from gateway.observe.logs import Level, configure
from tests.observe.charts import WALL


class Journal:
    """A log that is read back."""

    def __init__(self, level: Level) -> None:
        self.stream = io.StringIO()
        self.log: FilteringBoundLogger = configure("json", level, self.stream, lambda: WALL)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        (line,) = self.lines
        return line


@pytest.fixture
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def journal_at(_logging_as_it_was: None) -> Callable[[Level], Journal]:
    return Journal


@pytest.fixture
def journal(journal_at: Callable[[Level], Journal]) -> Journal:
    return journal_at("debug")


class Timer:
    """Stands for the loop's timer: what was asked for later happens when the test says so."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, then: Callable[[], None]) -> None:
        self.due.append((seconds, then))

    def pass_by(self) -> None:
        due, self.due = self.due, []
        for _, then in due:
            then()


@pytest.fixture
def timer() -> Timer:
    return Timer()
