"""The status page: what `/status.json` says, for people. Works without scripts."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway.core.status import span

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATES: Final = Path(__file__).parent / "templates"

TOTALS: Final = {
    "calls": "calls",
    "refusals": "refusals by Zoom",
    "recovered": "recovered by a replay",
    "passed_on": "refusals passed on",
    "mints": "tokens minted",
    "mint_failures": "mints failed",
    "foreign_mints": "tokens killed by others",
}
"""What the page calls each total, in this order."""


def render(status: Mapping[str, Any]) -> str:
    """Give the page for the body of `/status.json`."""
    return _template().render(status=status, totals=TOTALS)


@cache
def style() -> bytes:
    """The page's style sheet."""
    return (_TEMPLATES / "status.css").read_bytes()


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
    environment.filters |= {"span": span, "share": share, "rotation": rotation, "day": _day}
    return environment.get_template("status.html")


def share(token: Mapping[str, Any]) -> float:
    """Give what is left of a token's life, in percent."""
    return _percent(token["expires_in"], token["lifetime"])


def rotation(slot: Mapping[str, Any]) -> float | None:
    """Give what will be left of the life, in percent, when the token is rotated."""
    token = slot["token"]
    if token is None or slot["rotates_in"] is None:
        return None
    return _percent(token["expires_in"] - slot["rotates_in"], token["lifetime"])


def _percent(part: float, whole: float) -> float:
    return round(100 * min(1.0, max(0.0, part / whole)), 1) if whole > 0 else 0.0


def _day(moment: str) -> str:
    """`2026-01-31T12:00:00Z` as `2026-01-31 12:00:00 UTC`."""
    return moment.replace("T", " ").replace("Z", " UTC")
