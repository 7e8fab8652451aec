"""What becomes of header fields, by their names: found once for each name as it is spelled."""

import re
from enum import IntEnum
from typing import Final

_NO_TOKEN: Final = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")

_REMEMBERED: Final = 1024
"""Names whose fate is remembered; some hundred are in use."""

_LONGEST_REMEMBERED: Final = 64
"""Bytes of such a name."""


class Fate(IntEnum):
    """What becomes of a field, by its name."""

    KEPT = 0
    DROPPED = 1
    KEPT_AND_READ = 2
    DROPPED_AND_READ = 3


class Fates(dict[bytes, Fate]):
    """The fates of fields by their names as they are spelled, each found once.

    A name that is no token raises ValueError, and is not remembered.
    """

    __slots__ = ("_dropped", "_prefix", "_read")

    def __init__(
        self, dropped: frozenset[bytes], read: frozenset[bytes], prefix: bytes | None = None
    ) -> None:
        """What is named here is in lower case; what starts with `prefix` is dropped, too."""
        super().__init__()
        self._dropped = dropped
        self._read = read
        self._prefix = prefix

    def __missing__(self, name: bytes) -> Fate:
        if _NO_TOKEN.search(name):
            raise ValueError("a name that is no token")
        fate = self._found(name.lower())
        if len(name) <= _LONGEST_REMEMBERED:
            if len(self) >= _REMEMBERED:
                # Somebody makes names up; the usual ones are found again soon.
                self.clear()
            self[name] = fate
        return fate

    def _found(self, name: bytes) -> Fate:
        dropped = name in self._dropped
        if name in self._read:
            return Fate.DROPPED_AND_READ if dropped else Fate.KEPT_AND_READ
        if dropped or (self._prefix is not None and name.startswith(self._prefix)):
            return Fate.DROPPED
        return Fate.KEPT
