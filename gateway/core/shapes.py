"""What a path has in common with all others that templates and patterns cannot tell from it.

Paths are as many as there are users and meetings; what is decided about a path depends on those of
its segments alone that are words of a template or pattern.
"""

from collections.abc import Iterable
from typing import Final

from gateway.core.spelling import is_plain

Shape = tuple[bytes, ...]

_ANY: Final = b"*"
"""Stands for a segment that is no word, and is none itself."""


class Shapes:
    """Gives the shapes of plain paths. Words are the same in any case, and their case is kept."""

    __slots__ = ("_last", "_shape", "_words")

    def __init__(self) -> None:
        # Behind a slash at the end there is no segment, so nothing stands for that.
        self._words = {b""}
        self._last = b""
        self._shape: Shape | None = None
        """Of the path that came last: several ask for it, one after the other."""

    def add(self, words: Iterable[str]) -> None:
        """Tell paths apart by these segments, too; what shapes were given for holds on."""
        self._words.update(word.lower().encode() for word in words)
        self._words.discard(_ANY)
        self._last = b""

    def of(self, path: bytes) -> Shape | None:
        """The shape of a path without query; None if the path is not plain, and is to be read."""
        if path is self._last:
            return self._shape
        shape = None
        if is_plain(path):
            words = self._words
            shape = tuple([part if part.lower() in words else _ANY for part in path.split(b"/")])
        self._last, self._shape = path, shape
        return shape
