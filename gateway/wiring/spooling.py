"""Where bodies are kept for the replay; and if there is no such place, it is told once."""

import errno
from typing import Final

from gateway.settings import Settings
from gateway.web.spool import SpoolConfig, refusal
from gateway.wiring.lines import Lines

_PASSES: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
"""What says nothing of the next body."""


class Spooling:
    """What a spool is made with, and whether its files can be made.

    Larger bodies are tried all the same, so that it works as soon as the directory does; but
    nobody is told of each that fails as was told at the start. It blocks while it tries.
    """

    def __init__(self, settings: Settings, lines: Lines) -> None:
        replay = settings.replay
        self._lines = lines
        self._limit = replay.memory_limit
        self._directory = None if replay.dir == "auto" else str(replay.dir)
        self._known: OSError | None = None
        if replay.disk_limit > replay.memory_limit:
            found = refusal(self._directory)
            self._known = None if found is None or found.errno in _PASSES else found
        self.config = SpoolConfig(
            replay.memory_limit, replay.disk_limit, self._directory, self._failed
        )

    def tell(self) -> None:
        """Say so, if no file can be made."""
        if self._known is not None:
            self._lines.gateway.no_replay_directory(self._directory, self._limit, self._known)

    def _failed(self, error: OSError) -> None:
        if self._known is None or error.errno != self._known.errno:
            self._lines.body_not_kept(error)
