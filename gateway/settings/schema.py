"""The tree of keys, read off the model: where a path leads, and what is near a wrong one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import chain
from typing import Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.settings.kinds import Kind
from gateway.settings.model import Settings
from gateway.settings.shown import shown_key

NAME: Final = "NAME"
"""Stands for a name in a path: an account's, a key's."""

INDEX: Final = "N"
"""Stands for a place in a list, counted from 0."""

PREFIX: Final = "ZOOM_GATEWAY_"
DELIMITER: Final = "__"

INDEX_DIGITS: Final = 3
"""A list of more than 1,000 is a slip of the hand."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, or a section of keys. Steps of `path` may be NAME or INDEX."""

    path: tuple[str, ...]
    field: FieldInfo | None
    """None for an item of a mapping or a list: the model describes it by its keys alone."""
    section: type[BaseModel] | None
    """The model of the keys below; None for a key that holds a value."""

    @property
    def words(self) -> str | None:
        """What its value must be, in words that can follow "must be"."""
        if self.field is None:
            return None
        # An optional key has its kind on the part that is not None.
        parts = (getattr(part, "__metadata__", ()) for part in get_args(self.field.annotation))
        marks = chain(self.field.metadata, *parts)
        return next((mark.words for mark in marks if isinstance(mark, Kind)), None)

    @property
    def holds_several(self) -> bool:
        """Whether its value is a list or a mapping."""
        return self.section is not None or _is_plural(self.field and self.field.annotation)

    def fits(self, path: Sequence[str]) -> bool:
        return len(path) == len(self.path) and all(map(_fits, self.path, path))


def _fits(step: str, given: str) -> bool:
    if step == INDEX and given.isdecimal():
        return len(given) <= INDEX_DIGITS
    return step in (NAME, given)


def _is_plural(annotation: object) -> bool:
    """Whether it is a type of lists or mappings, or has one among its parts."""
    return get_origin(annotation) in {tuple, dict} or any(map(_is_plural, get_args(annotation)))


@cache
def all_keys() -> tuple[Key, ...]:
    """Every section and key, in the model's order, sections before what they hold."""
    return tuple(_below(Settings, ()))


def _below(model: type[BaseModel], prefix: tuple[str, ...]) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = (*prefix, name)
        section, step = _inside(field.annotation)
        yield Key(path, field, section)
        if section is not None:
            if step:
                path = (*path, step)
                yield Key(path, None, section)
            yield from _below(section, path)


def _inside(annotation: object) -> tuple[type[BaseModel] | None, str]:
    """The model that a field holds, and the step (NAME, INDEX or none) that leads to it."""
    origin = get_origin(annotation)
    step = NAME if origin is dict else INDEX if origin is tuple else ""
    models = [
        a
        for a in (annotation, *get_args(annotation))
        if isinstance(a, type) and issubclass(a, BaseModel)
    ]
    return (models[0], step) if models else (None, "")


def find(path: Sequence[str]) -> Key | None:
    """The key or section that a concrete path leads to."""
    return next((key for key in all_keys() if key.fits(path)), None)


def children(path: Sequence[str]) -> list[str]:
    """The steps that can follow `path`: names of keys, NAME or INDEX."""
    deeper = (key for key in all_keys() if len(key.path) == len(path) + 1)
    return [key.path[-1] for key in deeper if all(map(_fits, key.path, path))]


def nearest(wrong: str, known: list[str]) -> str | None:
    """The known key that was probably meant."""
    return next(iter(get_close_matches(wrong, known, n=1)), None)


def dotted(path: Sequence[str]) -> str:
    """`accounts.default.apps[0].name`, as problems and the reference write it."""
    text = ""
    for depth, step in enumerate(path):
        shown = shown_key(step)
        if children(path[:depth]) == [INDEX]:
            text += f"[{shown}]"
        else:
            text += f".{shown}" if text else shown
    return text


def variable(path: Sequence[str]) -> str:
    """The name of the environment variable for a path."""
    return PREFIX + DELIMITER.join(path).upper()
