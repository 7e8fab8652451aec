"""What `check` found, and how it says so: to people, and to programs."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from gateway.cli.doctor.codes import Code


class Level(Enum):
    OK = "ok"
    NOTICE = "notice"
    """Good to know. Does not count for the exit code."""
    WARNING = "warning"
    PROBLEM = "problem"

    @property
    def counts(self) -> bool:
        """Whether somebody should act."""
        return self in {Level.WARNING, Level.PROBLEM}


@dataclass(frozen=True, slots=True)
class Finding:
    """`sentence` says what is, `advice` what to do about it, `about` which key or slot it is on.

    `details` are JSON-ready; durations in milliseconds have `_ms` in their names. Holds no secret.
    """

    code: Code
    level: Level
    about: str
    sentence: str
    advice: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


_WIDTH: Final = max(len(level.value) for level in Level)


def ignoring(found: Iterable[Finding], codes: Iterable[str]) -> list[Finding]:
    """The findings; those of `codes` are notices, as somebody knows of them already."""
    known = set(codes)
    return [
        replace(one, level=Level.NOTICE) if one.level.counts and one.code in known else one
        for one in found
    ]


def report(heading: str, found: list[Finding], echo: Callable[[str], None]) -> None:
    """A line each; advice, and the operations that it is about, below it."""
    if not found:
        return
    if heading:
        echo(heading)
    for finding in found:
        echo(f"{finding.level.value:<{_WIDTH}}  {printable(finding.sentence)}")
        if finding.advice:
            echo(f"{'':<{_WIDTH}}  -> {printable(finding.advice)}")
        for line in finding.details.get("operations", ()):
            echo(f"{'':<{_WIDTH}}     {printable(line)}")
    echo("")


def conclude(found: list[Finding], echo: Callable[[str], None]) -> None:
    """The sum."""
    wrong = [finding for finding in found if finding.level.counts]
    echo(
        f"{len(wrong)} of {len(found)} findings need attention; each is explained in docs/check.md."
        if wrong
        else "All is well."
    )


def as_json(found: list[Finding]) -> str:
    """A list of objects."""
    return json.dumps(
        [
            {
                "code": one.code.value,
                "level": one.level.value,
                "about": one.about,
                "sentence": one.sentence,
                "advice": one.advice,
                "details": dict(one.details),
            }
            for one in found
        ],
        indent=2,
    )


def printable(text: str) -> str:
    """What a server says of itself must not steer the terminal."""
    return "".join(one if one.isprintable() else "?" for one in text)
