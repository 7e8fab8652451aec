"""Write the slot machine's page and its picture, from the table in the code.

    python scripts/slot_diagram.py DOCS

`slots.md` and `images/slots.svg` there are written anew. The picture needs no script and no network
to be seen, on the site as in a clone.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from gateway.core import slots
from gateway.core.slots import Phase

_SVG: Final = "http://www.w3.org/2000/svg"
ALT: Final = "The states of a slot, and what leads from one to the other"


class Point(NamedTuple):
    """In pixels, from the upper left corner."""

    x: float
    y: float

    def __str__(self) -> str:
        return f"{self.x:.0f},{self.y:.0f}"


# No two lines cross as long as three states surround the fourth. A new state needs a place here.
_PLACES: Final = {
    Phase.EMPTY: Point(100, 190),
    Phase.ACTIVE: Point(380, 190),
    Phase.SPARE: Point(660, 190),
    Phase.ASIDE: Point(380, 350),
}
_SIZE: Final = Point(760, 400)
_HALF: Final = Point(62, 24)
"""Half of the width and height of a state's box."""

_BEND: Final = 0.1
"""How far a line bows to its left, as a share of its length: so a way there and one back part."""

_BENDS: Final = {
    (Phase.SPARE, Phase.EMPTY): -0.25,  # around the state that lies between
    (Phase.ACTIVE, Phase.ASIDE): 0.34,  # upright ones need room for two words side by side
    (Phase.ASIDE, Phase.ACTIVE): 0.34,
}

_STYLE: Final = """\
<style>
  text { font: 15px system-ui, sans-serif; text-anchor: middle; dominant-baseline: central; }
  .state { font-weight: 600; fill: #1f2937; }
  .event { fill: #374151; }
  .box { fill: #eef2ff; stroke: #6366f1; stroke-width: 1.5; }
  .line { fill: none; stroke: #6b7280; stroke-width: 1.5; marker-end: url(#tip); }
</style>
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"
  orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" fill="#6b7280"/></marker></defs>"""


def picture() -> str:
    """The diagram as SVG, on a ground of its own: it is seen on light pages and on dark ones."""
    edges = defaultdict(list)
    for (before, event), after in slots.TABLE.items():
        edges[before, after].append(event.name.lower())
    drawn = [_edge(before, after, ", ".join(names)) for (before, after), names in edges.items()]
    boxes = [_box(_PLACES[phase], phase.value) for phase in Phase]
    size = f'width="{_SIZE.x}" height="{_SIZE.y}"'
    return "\n".join(
        [
            f'<svg xmlns="{_SVG}" viewBox="0 0 {_SIZE.x} {_SIZE.y}" {size} role="img">',
            f"<title>{ALT}</title>",
            _STYLE,
            '<rect width="100%" height="100%" rx="8" fill="#fff"/>',
            *(line for line, _ in drawn),
            _start(_PLACES[Phase.EMPTY]),
            *boxes,
            *(label for _, label in drawn),
            "</svg>",
            "",
        ]
    )


def _box(at: Point, name: str) -> str:
    x, y = at.x - _HALF.x, at.y - _HALF.y
    return (
        f'<rect class="box" x="{x}" y="{y}" width="{2 * _HALF.x}" height="{2 * _HALF.y}" rx="10"/>'
        f'<text class="state" x="{at.x}" y="{at.y}">{name}</text>'
    )


def _start(at: Point) -> str:
    """The dot from which a new slot begins."""
    y = at.y + _HALF.y
    return (
        f'<circle cx="{at.x}" cy="{y + 44}" r="6" fill="#6b7280"/>'
        f'<path class="line" d="M{at.x},{y + 38} L{at.x},{y + 3}"/>'
    )


def _edge(before: Phase, after: Phase, names: str) -> tuple[str, str]:
    """A line and its label."""
    start, end = _PLACES[before], _PLACES[after]
    if before is after:
        top = start.y - _HALF.y
        way = f"M{start.x - 22},{top} C{start.x - 48},{top - 62} {start.x + 48},{top - 62}"
        return _line(f"{way} {start.x + 22},{top - 3}"), _label(Point(start.x, top - 48), names)
    bend = _bend(start, end, _BENDS.get((before, after), _BEND))
    first, last = _leave(start, bend), _leave(end, bend)
    middle = Point(
        first.x / 4 + bend.x / 2 + last.x / 4,
        first.y / 4 + bend.y / 2 + last.y / 4,
    )
    return _line(f"M{first} Q{bend} {last}"), _label(middle, names)


def _bend(start: Point, end: Point, share: float) -> Point:
    """The point towards which a line bows, to the left of who goes along it."""
    along = Point(end.x - start.x, end.y - start.y)
    return Point(
        (start.x + end.x) / 2 + along.y * 2 * share,
        (start.y + end.y) / 2 - along.x * 2 * share,
    )


def _leave(box: Point, towards: Point) -> Point:
    """Where the way from a box's middle towards a point crosses its edge, and a little further."""
    x, y = towards.x - box.x, towards.y - box.y
    share = min(_HALF.x / abs(x) if x else math.inf, _HALF.y / abs(y) if y else math.inf)
    gap = 3 / math.hypot(x, y)
    return Point(box.x + x * (share + gap), box.y + y * (share + gap))


def _line(way: str) -> str:
    return f'<path class="line" d="{way}"/>'


def _label(at: Point, names: str) -> str:
    """Words on a ground that hides the line beneath; their width is a guess."""
    width = 8 * len(names) + 6
    return (
        f'<rect fill="#fff" x="{at.x - width / 2:.0f}" y="{at.y - 10:.0f}" width="{width}"'
        f' height="20"/><text class="event" x="{at.x:.0f}" y="{at.y:.0f}">{names}</text>'
    )


def page() -> str:
    """`slots.md`."""
    rules = (slots.__doc__ or "").split("\n\n", 1)[1].rsplit("\n\n", 1)[0]
    return "\n".join(
        [
            "# The slot machine",
            "",
            "Written by `make docs` from `gateway/core/slots.py`.",
            "",
            rules.strip(),
            "",
            f"![{ALT}](images/slots.svg)",
            "",
            "| event | meaning |",
            "|---|---|",
            *_rows(),
            "",
        ]
    )


def _rows() -> Iterator[str]:
    for event in slots.Event:
        yield f"| {event.name.lower()} | {event.value} |"


def main(docs: Path) -> None:
    (docs / "slots.md").write_text(page())
    (docs / "images" / "slots.svg").write_text(picture())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
