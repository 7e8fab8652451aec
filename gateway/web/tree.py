"""The status page as plain data: a tree that the template writes as HTML, and the script as DOM.

So there is one description of the page, and what others have named goes through an escape or a
text node, never through a parser.
"""

from collections.abc import Mapping
from typing import Any, Final

Node = str | list[Any]
"""A text, or `[tag, attributes, children]`."""

TAGS: Final = frozenset(
    {
        *("a", "button", "dd", "details", "div", "dl", "dt", "h1"),
        *("h2", "h3", "li", "ol", "p", "path", "rect", "section"),
        *("small", "span", "strong", "summary", "svg", "table", "tbody", "td"),
        *("th", "thead", "time", "tr", "ul"),
    }
)
"""All that the page is made of; `static/tree.js` knows the same."""


def el(
    tag: str, attributes: str | Mapping[str, object] | None = None, *children: Node | None
) -> Node:
    """Give an element. Attributes that are a text alone are its class; a child None is left out.

    An attribute None is left out, too. Texts beside each other become one, as a parser has it.
    """
    if tag not in TAGS:
        raise ValueError(tag)
    given = {"class": attributes} if isinstance(attributes, str) else attributes or {}
    kept: list[Node] = []
    for child in children:
        if isinstance(child, str) and kept and isinstance(kept[-1], str):
            kept[-1] += child
        elif child:
            kept.append(child)
    return [tag, {name: str(value) for name, value in given.items() if value is not None}, kept]


def moment(iso: str, *, short: bool = False) -> Node:
    """`2026-01-31T12:00:00Z` as `2026-01-31 12:00:00 UTC`, or as `12:00:00`."""
    text = iso[11:19] if short else iso.replace("T", " ").replace("Z", " UTC")
    return el("time", {"datetime": iso}, text)


def number(value: float) -> str:
    return f"{value:,}"
