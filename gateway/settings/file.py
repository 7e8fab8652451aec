"""The configuration file: YAML, read strictly.

Plain values stay text until the model makes numbers of them, as with environment variables:
so an id `0123` or `12e4` is what it looks like. Problems name the place, never the content.
"""

from pathlib import Path
from typing import Any, Final

import yaml

from gateway.core.errors import ConfigurationError
from gateway.settings.shown import shown_key

_TEXT: Final = "tag:yaml.org,2002:str"
_NULL: Final = "tag:yaml.org,2002:null"
_MERGE: Final = "tag:yaml.org,2002:merge"
_COLLECTIONS: Final = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _Loader(yaml.SafeLoader):
    """YAML whose plain values are text, and which notes keys that stand twice."""

    yaml_constructors = {  # noqa: RUF012 - declared by the base class
        tag: yaml.SafeLoader.yaml_constructors[tag] for tag in (_TEXT, _NULL, *_COLLECTIONS, None)
    }
    yaml_implicit_resolvers = {  # noqa: RUF012 - declared by the base class
        first: [(tag, pattern) for tag, pattern in resolvers if tag in {_NULL, _MERGE}]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.problems: list[str] = []

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag not in {_TEXT, _MERGE} or not key.value.isprintable():
                self.problems.append(f"line {line}: a key is not plain text")
            elif key.value in seen:
                self.problems.append(f"line {line}: the key {shown_key(key.value)} is there twice")
            else:
                seen.add(key.value)
        return node


def read(path: Path) -> dict[str, Any]:
    """The file's keys. A key without a value counts as unset, so it is left out.

    Raises ConfigurationError: each problem names the file and, where there is one, the line.
    """
    try:
        return _parse(text_of(path))
    except ConfigurationError as error:
        raise ConfigurationError([f"{path}: {problem}" for problem in error.problems]) from None


def text_of(path: Path) -> str:
    """The file as it stands. Raises ConfigurationError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(["is not text in UTF-8"]) from None
    except OSError as error:
        raise ConfigurationError([f"cannot be read: {error.strerror}"]) from None
    except ValueError:
        raise ConfigurationError(["cannot be read: the path holds a null character"]) from None


def _parse(text: str) -> dict[str, Any]:
    tree = parse(text)
    if isinstance(tree, dict):
        return tree
    raise ConfigurationError(
        ["is empty: config/gateway.yaml shows every key"]
        if tree is None
        else ["must be a mapping of keys, such as listen: {port: 8080}"]
    )


def parse(text: str) -> Any:
    """What stands in a document: a mapping, a list, a text, or None. Raises ConfigurationError."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if loader.problems:
            raise ConfigurationError(loader.problems)
        return None if node is None else _set_keys(loader.construct_document(node), {})
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationError([f"line {line}: a control character is not allowed"]) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError([f"{_place(error)}{_what(error)}"]) from None
    except RecursionError:
        raise ConfigurationError(["is nested too deeply, or holds itself by an alias"]) from None


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _what(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if problem.startswith("could not determine a constructor"):
        return "a value that begins with ! must be in quotes"
    # What the parser quotes may be a secret that should have been in quotes.
    shown = problem and not set("'\"") & set(problem)
    return f"is not valid YAML: {problem}" if shown else "is not valid YAML"


def _set_keys(value: Any, known: dict[int, Any]) -> Any:
    """The value without the keys that have none.

    `known` are results by identity: aliases of aliases would take for ever, each on its own.
    """
    if id(value) in known or not isinstance(value, dict | list):
        return known.get(id(value), value)
    made: Any
    if isinstance(value, dict):
        made = {key: _set_keys(inner, known) for key, inner in value.items() if inner is not None}
    else:
        made = [_set_keys(inner, known) for inner in value]
    known[id(value)] = made
    return made
