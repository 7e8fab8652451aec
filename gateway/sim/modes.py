"""Which older tokens a mint kills: the four rules that Zoom accounts were seen to follow."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["single", "max", "multi", "app-max"]


@dataclass(frozen=True, slots=True)
class Mode:
    """A rule of token life.

    `single`: one live token a slot (app and token index). `max`: the `limit` newest of a
    slot live. `multi`: all live. `app-max`: the `limit` newest of the whole app live.
    `limit` is None for `multi` alone.
    """

    kind: Kind
    limit: int | None

    @property
    def ignores_index(self) -> bool:
        """Whether the token index has no meaning, so that none is out of range."""
        return self.kind in {"multi", "app-max"}

    def __str__(self) -> str:
        """Return the text that `parse_mode` reads."""
        return f"{self.kind}:{self.limit}" if self.kind in {"max", "app-max"} else self.kind


@lru_cache(maxsize=64)
def parse_mode(text: str) -> Mode:
    """Read `single`, `multi`, `max:N` or `app-max:N` (N of at least 1).

    Raises ValueError with the accepted forms.
    """
    kind, _, number = text.partition(":")
    if kind == "single" and text == "single":
        return Mode("single", 1)
    if kind == "multi" and text == "multi":
        return Mode("multi", None)
    if number.isascii() and number.isdigit() and int(number) > 0:
        if kind == "max":
            return Mode("max", int(number))
        if kind == "app-max":
            return Mode("app-max", int(number))
    raise ValueError(f"unknown mode {text!r}: use single, max:N, multi or app-max:N")
