"""Names in rules that nothing has: accounts, keys, operations; and rules of the same name.

Looked for in the tree as it came, so that they are told together with all other problems.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.core.patterns import Catalogue, PatternError
from gateway.settings import schema
from gateway.settings.operations import load_operations

Path = tuple[str, ...]

_PATH: Final = re.compile(r"(?<!/)/(?!/)\S*")
"""In an entry that is no path: the one that it holds, behind a method or a host."""


def wrong(tree: Mapping[str, Any]) -> list[str]:
    """A line for each. What has another shape than it should have is the model's to tell."""
    access = _mapping(tree.get("access"))
    rules = access.get("rules")
    if not isinstance(rules, list) or not rules:
        return []
    lines = list(_repeated(rules))
    accounts = list(_mapping(tree.get("accounts")))
    keys = list(_mapping(access.get("keys")))
    for number, rule in enumerate(rules):
        path = ("access", "rules", str(number))
        known = _mapping(rule)
        lines += _unknown((*path, "accounts"), known, accounts, "account")
        lines += _unknown((*path, "callers", "keys"), _mapping(known.get("callers")), keys, "key")
    return lines + list(_operations(rules))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(section: Mapping[str, Any], key: str) -> Iterator[tuple[int, str]]:
    """The texts of a list, by their places from 1."""
    values = section.get(key)
    for place, value in enumerate(values if isinstance(values, list) else (), 1):
        if isinstance(value, str):
            yield place, value.strip()


def _repeated(rules: Sequence[object]) -> Iterator[str]:
    first: dict[str, int] = {}
    for number, rule in enumerate(rules):
        name = _mapping(rule).get("name")
        if isinstance(name, str) and first.setdefault(name.strip(), number) != number:
            here = schema.dotted(("access", "rules", str(number), "name"))
            before = first[name.strip()]
            yield f"{here}: is the same as that of rules[{before}]: it must differ"


def _unknown(path: Path, section: Mapping[str, Any], known: list[str], what: str) -> Iterator[str]:
    for place, name in _texts(section, path[-1]):
        if name not in known:
            hint = _hint(name, known) or (
                f"configured here: {', '.join(known)}" if known else "none is configured"
            )
            yield f"{schema.dotted(path)}: item {place} is no {what}: {hint}"


def _operations(rules: Iterable[object]) -> Iterator[str]:
    catalogue = None
    for number, rule in enumerate(rules):
        path = ("access", "rules", str(number), "operations")
        for place, entry in _texts(_mapping(rule), "operations"):
            catalogue = catalogue or Catalogue(load_operations())
            try:
                catalogue.select([entry])
            except PatternError as error:
                hint = "" if entry.startswith("/") else _hint_of_operation(entry, catalogue)
                more = f": {hint}" if hint else ""
                yield f"{schema.dotted(path)}: item {place} {error}{more}"


def _hint_of_operation(entry: str, catalogue: Catalogue) -> str:
    if path := _PATH.search(entry):
        return f"say {path.group()} alone; methods have a key of their own (methods)"
    form, name = re.fullmatch(r"((?:product|operation):)?(.*)", entry).groups("")  # type: ignore[union-attr]  # it fits all
    known = catalogue.names()
    lower = {one.lower(): one for one in known}
    if name in known:
        return ""
    guess = lower.get(name.lower()) or schema.nearest(name, known)
    return f"did you mean {form}{guess}?" if guess else ""


def _hint(name: str, known: list[str]) -> str:
    guess = schema.nearest(name, known)
    return f"did you mean {guess}?" if guess else ""
