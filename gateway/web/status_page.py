"""The status page: what `/status.json` says, for people. Works without scripts."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway.core.status import mood, span, worst_first
from gateway.web import status_tree
from gateway.web.posture_tree import posture
from gateway.web.tree import Node

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATES: Final = Path(__file__).parent / "templates"
_STATIC: Final = Path(__file__).parent / "static"

STATIC: Final = {
    "status.css": "text/css",
    "status.js": "text/javascript",
    "tree.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""All that the page loads, and what it is."""

DETAILED: Final = 12
"""Accounts that are shown in full, the worst first; the others by name and state."""


def view(status: Mapping[str, Any], history: Callable[[str], Mapping[str, Any]]) -> dict[str, Any]:
    """Give the page for the body of `/status.json`, as JSON-ready data.

    `history` gives an account's recent past by name. `page` is what is to be seen, `key` changes
    when there is something to say aloud, which is `sentence`.
    """
    accounts = worst_first(status["accounts"], lambda one: str(one["state"]))
    shown, rest = accounts[:DETAILED], accounts[DETAILED:]
    page: list[Node | None] = [
        status_tree.hero(status),
        *(
            status_tree.account({**one, **history(one["name"])}, status, number)
            for number, one in enumerate(shown, 1)
        ),
        status_tree.others(rest),
        posture(status),
        status_tree.fleet(status),
    ]
    codes = [one["code"] for account in accounts for one in account["diagnoses"]]
    first = status["headline"]
    if first and first["account"] is None:
        codes.append(first["code"])
    return {
        "at": status["at"],
        "key": " ".join([status["state"], *codes]),
        "title": f"{mood(status)} · zoom-gateway",
        "sentence": status["sentence"],
        "replica": _replica(status["replica"]),
        "about": _about(status["replica"]),
        "page": [node for node in page if node],
    }


def _replica(replica: Mapping[str, Any]) -> str:
    worker = f", worker {replica['worker']}" if replica["worker"] else ""
    return f"{replica['name']}{worker}"


def _about(replica: Mapping[str, Any]) -> str:
    text = (
        f"zoom-gateway {replica['version']}, process {replica['pid']}, up for "
        f"{span(replica['uptime'])}."
    )
    if replica["worker"]:
        return (
            f"{text} Calls, timeline and events are those of worker {replica['worker']} alone; "
            "totals are those of all workers."
        )
    return f"{text} Calls, timeline, events and totals are this replica's own."


def render(view: Mapping[str, Any]) -> str:
    """Give the page as HTML."""
    return _template().render(view=view)


@cache
def static(name: str) -> bytes:
    """Give one of `STATIC`."""
    return (_STATIC / name).read_bytes()


@cache
def _template() -> "Template":
    # Only who opens the page pays for the engine.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("status.html")
