"""Makes config/gateway.yaml from the model: every key, its default, a comment.

`python -m gateway.settings.example > config/gateway.yaml`
"""

import sys
import textwrap
from collections.abc import Iterator
from typing import Any, Final

import yaml

from gateway.settings import schema, shorthand, words

_HEAD: Final = """\
# zoom-gateway: every key, with its default.
#
# It works as it is when ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET are set.
# Each key can be set in the environment, too: listen.port is ZOOM_GATEWAY_LISTEN__PORT.
# `# ` begins a comment; a # right before a key switches it off: to use it, take away the #.
# docs/configuration.md says more.
"""

_WIDTH: Final = 96
_INDENT: Final = "  "
_DOCUMENT_END: Final = "...\n"
"""What the dumper sets after a value that stands alone."""

_FILL_IN: Final = "..."
"""Stands where a value is to be filled in; refused when it is not."""


def example() -> str:
    """The whole file."""
    return _HEAD + "".join(f"{line}\n" for key in schema.all_keys() for line in _entry(key))


def _entry(key: schema.Key) -> Iterator[str]:
    """The comment and the line of a key."""
    step = key.path[-1]
    if step == schema.INDEX:
        return  # its keys make the item
    indent = _INDENT * (len(key.path) - 1)
    if indent == "":
        yield ""
    before = key.path[:-1]
    first_of_item = before[-1:] == (schema.INDEX,) and schema.children(before)[0] == step
    before_key = indent.removesuffix(_INDENT) if first_of_item else indent
    yield from _comment(_about(key), before_key)
    # What has no default is to be filled in first, and there is no default account, rule or key.
    off = "#" if _is_named(key) or _default(key) is _FILL_IN else ""
    yield f"{before_key}{off}{'- ' if first_of_item else ''}{_key(key)}"


_NAMES: Final = {"accounts": shorthand.DEFAULT, "access": "reports"}
"""What stands for NAME below each section."""


def _is_named(key: schema.Key) -> bool:
    """Whether it is a list or a mapping of named things, or part of one."""
    named = {schema.NAME, schema.INDEX}
    return not named.isdisjoint((*key.path, *schema.children(key.path)))


def _key(key: schema.Key) -> str:
    step = _NAMES[key.path[0]] if key.path[-1] == schema.NAME else key.path[-1]
    if key.field is None or key.section is not None:
        return f"{step}:"
    default = _default(key)
    if default is _FILL_IN:
        return f"{step}: {_FILL_IN}"
    value = yaml.safe_dump(default, default_flow_style=True)
    return f"{step}: {value.removesuffix(_DOCUMENT_END).strip()}"


def _default(key: schema.Key) -> Any:
    if key.field is None or key.section is not None:
        return None
    default = None if key.field.is_required() else words.default(key.field)
    return _FILL_IN if default is None else default


def _about(key: schema.Key) -> str:
    if key.field is not None and key.field.description:
        return key.field.description
    return words.about(key.section) if key.section else ""


def _comment(text: str, indent: str) -> Iterator[str]:
    width = _WIDTH - len(indent)
    for paragraph in text.split("\n\n"):
        for line in textwrap.wrap(paragraph, width, break_on_hyphens=False):
            yield f"{indent}# {line}"


if __name__ == "__main__":
    sys.stdout.write(example())
