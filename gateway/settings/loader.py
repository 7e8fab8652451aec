"""From the file and the environment to the settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.core.errors import ConfigurationError
from gateway.settings import access_names, environment, problems, shorthand
from gateway.settings.merge import Tree, merge
from gateway.settings.model import Settings
from gateway.settings.upstream import unusable_proxies


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The configuration: the environment over the file at `path` over the defaults.

    With `path` None there is no file. Reads the files that hold secrets, to see that it can.
    Raises ConfigurationError with every problem there is, a line each: the key's path, what is
    wrong, what would be right; no line holds a value that may be secret.
    """
    layers, found = environment.layers(environ)
    try:
        tree = _from_file(path) if path else {}
    except ConfigurationError as error:
        # Without the file, most keys would seem to be missing.
        raise ConfigurationError([*error.problems, *found]) from None
    for layer in layers:
        tree = merge(tree, layer)
    shorthand.fill(tree, environ)
    # By hand: the library takes names with an underscore for options of its own.
    found += [problems.unknown((key,)) for key in tree if key not in Settings.model_fields]
    found += problems.duplicates(tree)
    found += access_names.wrong(tree)
    settings = _validated(tree, environ, found)
    if settings is not None:
        found += unusable_proxies(settings.upstream, environ)
    if found or settings is None:
        raise ConfigurationError(found)
    return settings


def _from_file(path: Path) -> Tree:
    # Without a file, YAML would be a fifteenth of the start for nothing.
    from gateway.settings import file  # noqa: PLC0415

    return file.read(path)


def _validated(
    tree: Mapping[str, Any], environ: Mapping[str, str], found: list[str]
) -> Settings | None:
    try:
        return Settings(**{key: tree[key] for key in tree if key in Settings.model_fields})
    except ValidationError as error:
        found += problems.explain(error, environ)
    return None
