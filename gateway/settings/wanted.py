"""A file that says which operations are wanted: access rules, or a plain list of operations."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from gateway.core.errors import ConfigurationError
from gateway.core.patterns import ONE, REST, Catalogue, PatternError, shape_covers, shape_of
from gateway.core.routes import METHODS, Operation, RouteTable
from gateway.core.spelling import segments_of
from gateway.settings import access_names, problems
from gateway.settings.access import AccessSettings
from gateway.settings.access_rules import AccessRule
from gateway.settings.file import parse, text_of
from gateway.settings.operations import load_operations

_LINE: Final = re.compile(r"(?:([A-Za-z]+)\s+)?(\S+)")

_RIGHT: Final = (
    "must hold access rules, as access.rules has them, or a list of operations, such as"
    " GET /v2/users or meetingCreate, one a line or as a YAML list"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """`rules` is empty if the file is a list."""

    rules: tuple[AccessRule, ...]
    default_allows: bool
    operations: tuple[Operation, ...]
    """Those of a list, in its order."""
    strangers: tuple[str, ...] = ()
    """Entries of a list that name nothing that Zoom's reference has."""


def read_wanted(path: Path) -> Wanted:
    """Raises ConfigurationError: each problem names the file."""
    try:
        return _wanted(text_of(path))
    except ConfigurationError as error:
        raise ConfigurationError([f"{path}: {problem}" for problem in error.problems]) from None


def _wanted(text: str) -> Wanted:
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    plain = [line for line in lines if line]
    try:
        tree = parse(text)
    except ConfigurationError:
        if not plain or not all(_is_entry(line) for line in plain):
            raise
        tree = ""
    if isinstance(tree, dict):
        return _rules(tree)
    if not isinstance(tree, list):
        return _listed(plain)
    if any(isinstance(one, dict) for one in tree):
        return _rules({"rules": tree})
    return _listed([str(one).strip() for one in tree])


def _is_entry(line: str) -> bool:
    found = _LINE.fullmatch(line)
    return found is not None and (found[1] is None or found[1].upper() in METHODS)


def _rules(tree: dict[str, Any]) -> Wanted:
    """Of a list under `rules`, or of a whole configuration."""
    access = tree.get("access", tree)
    rules = access.get("rules") if isinstance(access, dict) else None
    if not isinstance(rules, list) or not rules:
        raise ConfigurationError([_RIGHT])
    section = {"rules": rules, "default": access.get("default", "deny")}
    bare = [{**one, "callers": {}, "accounts": []} for one in rules if isinstance(one, dict)]
    found = access_names.wrong({"access": {"rules": bare}})
    try:
        made = AccessSettings(**section)
    except ValidationError as error:
        found += problems.explain(error, {}, ("access",))
    if found:
        raise ConfigurationError(found)
    return Wanted(made.rules, made.default == "allow", ())


def _listed(entries: list[str]) -> Wanted:
    if not entries:
        raise ConfigurationError([_RIGHT])
    operations = load_operations()
    catalogue, table = Catalogue(operations), RouteTable(operations)
    found: dict[Operation, None] = {}
    strangers, wrong = [], []
    for place, entry in enumerate(entries, 1):
        try:
            chosen = _chosen(entry, operations, catalogue, table)
        except PatternError as error:
            wrong.append(f"entry {place} {error}")
            continue
        if not chosen:
            strangers.append(entry)
        found |= dict.fromkeys(chosen)
    if wrong:
        raise ConfigurationError(wrong)
    return Wanted((), default_allows=False, operations=(*found,), strangers=(*strangers,))


def _chosen(
    entry: str, operations: tuple[Operation, ...], catalogue: Catalogue, table: RouteTable
) -> list[Operation]:
    """Raises PatternError."""
    parts = _LINE.fullmatch(entry)
    if parts is None or (parts[1] is not None and parts[1].upper() not in METHODS):
        raise PatternError("is no operation: write GET /v2/users, or meetingCreate")
    method, name = (parts[1] or "").upper(), parts[2]
    method = "GET" if method == "HEAD" else method
    if not name.startswith("/"):
        keys = catalogue.select([name]).operations
        return [one for one in operations if (one.method, one.path) in keys]
    pattern = catalogue.select([name]).patterns[0]
    at_hand = [one for one in operations if method in ("", one.method)]
    if ONE in segments_of(name) or name.endswith(f"/{REST}"):
        return [one for one in at_hand if shape_covers(pattern.exact, shape_of(one.path))]
    # A template, or a path as it is called, with ids in it.
    return [one for one in at_hand if table.match(one.method, name) == one.path]
