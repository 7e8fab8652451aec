"""What is wrong, in lines for people: the key, what is wrong, what would be right.

No line repeats a value, which may be a secret in the wrong place; only paths are named.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from gateway.core.keys import SHORTEST
from gateway.settings import schema, shorthand
from gateway.settings.secrets import NO_SECRET

_UNIQUE: Final = ("name", "client_id")
"""What no two apps of an account may share."""

_KEYS: Final = ("access", "keys")

_NO_JSON: Final = frozenset({"model_type", "tuple_type", "dict_type"})
"""Errors of a variable that should hold a list or a mapping, and is plain text."""


def explain(
    error: ValidationError, environ: Mapping[str, str], under: tuple[str, ...] = ()
) -> list[str]:
    """A line for each problem that the model found, in the order of the keys.

    `under`: where the model stands, if it is not the whole configuration.
    """
    found = error.errors(include_url=False, include_input=False)
    lines = [
        _line(entry["type"], (*under, *entry["loc"]), entry.get("ctx", {}), environ)
        for entry in found
    ]
    # Each branch of a union complains about the same value.
    return list(dict.fromkeys(lines))


def unknown(path: tuple[str, ...]) -> str:
    """The line for a key of the file that is none of ours."""
    known = schema.children(path[:-1])
    guess = schema.nearest(path[-1], known)
    hint = f"did you mean {guess}?" if guess else f"known here: {', '.join(known)}"
    return f"{schema.dotted(path)}: is not a key: {hint}"


def duplicates(tree: Mapping[str, Any]) -> list[str]:
    """A line for each app that repeats the name or client id of one before it.

    Looked for in the tree as it came, so that it is said together with all other problems.
    """
    accounts = tree.get("accounts")
    lines = []
    for account, settings in accounts.items() if isinstance(accounts, dict) else ():
        apps = settings.get("apps") if isinstance(settings, dict) else None
        for key in _UNIQUE:
            lines += _repeated(("accounts", account, "apps"), key, apps)
    return lines


def _repeated(path: tuple[str, ...], key: str, apps: object) -> list[str]:
    first: dict[str, int] = {}
    lines = []
    default = shorthand.DEFAULT if key == "name" else None
    for index, app in enumerate(apps if isinstance(apps, list) else ()):
        value = app.get(key, default) if isinstance(app, dict) else None
        if not isinstance(value, str):
            continue
        before = first.setdefault(value.strip(), index)
        if before != index:
            here = schema.dotted((*path, str(index), key))
            lines.append(f"{here}: is the same as that of apps[{before}]: it must differ")
    return lines


def _line(
    kind: str, loc: tuple[int | str, ...], ctx: Mapping[str, Any], environ: Mapping[str, str]
) -> str:
    path = tuple(str(step) for step in loc)
    if kind == "extra_forbidden":
        return unknown(path)
    # Behind the key, the library appends steps of its own: list items, union branches.
    while path and schema.find(path) is None:
        path = path[:-1]
    if kind == NO_SECRET:
        return _missing((*path[:-1], path[-1].removesuffix("_file")), f"it or {path[-1]}")
    if kind == "missing":
        return _missing(path, "it")
    name = schema.variable(path)
    source = f" (from {name})" if name in environ else ""
    shown = schema.dotted(_without_a_key(path))
    if kind == "value_error":
        return f"{shown}{source}: {ctx['error']}"
    as_json = ", as JSON" if source and kind in _NO_JSON else ""
    return f"{shown}{source}: must be {_right(path)}{as_json}"


def _without_a_key(path: tuple[str, ...]) -> tuple[str, ...]:
    """Where `access.keys` has the key for a name, and the name for a key, the key is not said."""
    swapped = len(path) == len(_KEYS) + 1 and path[:-1] == _KEYS and len(path[-1]) >= SHORTEST
    return (*_KEYS, "…") if swapped else path


def _missing(path: tuple[str, ...], what: str) -> str:
    name = shorthand.variable_of(path) or schema.variable(path)
    return f"{schema.dotted(path)}: is missing: set {what}, or the variable {name}"


def _right(path: tuple[str, ...]) -> str:
    key = schema.find(path)
    if key is not None and key.words:
        return key.words
    return f"a mapping with the keys {', '.join(schema.children(path))}"
