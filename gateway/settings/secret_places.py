"""Where a configuration's secrets lie: in which files, and which values of the file are some.

Read off the settings themselves, so that a key that is new is found, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.core.secret import Secret
from gateway.models import BaseModel
from gateway.settings import file, schema
from gateway.settings.model import Settings
from gateway.settings.store_urls import SecretUrl

_FILE: Final = "_file"
_PUBLIC: Final = ("ca_file", "certificate_file")
"""Files whose content everybody may know: certificates. All others are taken for secret."""


def secret_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """The path of each key that names a file with a secret, and that file."""
    for path, value in _values(settings, ()):
        if is_secret_file(path[-1]) and isinstance(value, Path):
            yield schema.dotted(path), value


def is_secret_file(key: str) -> bool:
    """Whether the key names a file that holds a secret."""
    return key.endswith(_FILE) and not key.endswith(_PUBLIC)


def secrets_in(config: Path, settings: Settings) -> list[str]:
    """The paths of the keys that hold a secret in the configuration file itself.

    One that stands there counts, even if the environment says another. Raises ConfigurationError
    if the file cannot be read (any more).
    """
    tree = file.read(config)
    return [
        schema.dotted(path)
        for path, value in _values(settings, ())
        if isinstance(value, Secret | SecretUrl) and _stands_in(tree, path)
    ]


def _values(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """All that is set, with where it is."""
    below: Iterator[tuple[str, object]]
    if isinstance(value, BaseModel):
        below = ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, Mapping):
        below = iter(value.items())
    elif isinstance(value, tuple) and any(isinstance(one, BaseModel) for one in value):
        below = ((str(place), one) for place, one in enumerate(value))
    else:
        yield path, value
        return
    for step, inner in below:
        yield from _values(inner, (*path, step))


def _stands_in(tree: Any, path: Sequence[str]) -> bool:
    for step in path:
        if isinstance(tree, list) and step.isdecimal() and int(step) < len(tree):
            tree = tree[int(step)]
        elif isinstance(tree, dict) and step in tree:
            tree = tree[step]
        else:
            return False
    return tree is not None
