"""`serve` as nearly everybody calls it, read without a library for commands.

click would be a sixteenth of the start, and stay in memory. It reads whatever is not exactly so:
other commands, questions for help, abbreviations, and mistakes, which it explains.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

CONFIG: Final = "ZOOM_GATEWAY_CONFIG"
"""The variable that takes the place of `--config`."""

MOST_WORKERS: Final = 64
"""More are no faster: each needs a core."""

_OPTIONS: Final = ("--config", "--workers")

_COMPLETION: Final = "_ZOOM_GATEWAY_COMPLETE"
"""Set by a shell that asks click what could come next."""


class Serve(NamedTuple):
    """What `serve` is told."""

    config: Path | None
    workers: int


def serve_options(arguments: Sequence[str], environ: Mapping[str, str]) -> Serve | None:
    """What `zoom-gateway` is asked to serve with; None: that is for click to say."""
    if arguments[:1] != ["serve"] or len(arguments) % 2 == 0 or _COMPLETION in environ:
        return None
    given: dict[str, str] = {}
    for name, value in zip(arguments[1::2], arguments[2::2], strict=True):
        if name not in _OPTIONS or name in given or not value or value.startswith("-"):
            return None
        given[name] = value
    workers = given.get("--workers", "1")
    if workers not in map(str, range(1, MOST_WORKERS + 1)):
        return None
    config = given.get("--config") or environ.get(CONFIG)
    return Serve(Path(config) if config else None, int(workers))
