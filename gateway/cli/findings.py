"""What `check` found, and how it says so."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Level(Enum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`sentence` says what is, `advice` what to do about it."""

    level: Level
    sentence: str
    advice: str = ""


_WIDTH: Final = max(len(level.value) for level in Level)


def report(found: list[Finding], echo: Callable[[str], None]) -> None:
    """A line each, advice below it, and the sum at the end."""
    for finding in found:
        echo(f"{finding.level.value:<{_WIDTH}}  {finding.sentence}")
        if finding.advice:
            echo(f"{'':<{_WIDTH}}  -> {finding.advice}")
    wrong = [finding for finding in found if finding.level is not Level.OK]
    echo("")
    echo(f"{len(wrong)} of {len(found)} need attention." if wrong else "All is well.")
