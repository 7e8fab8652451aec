"""Write the slot machine's rules and its diagram into the pages, from the table in the code.

    python scripts/slot_diagram.py DOCS

`slots.md` there is written anew; in `fleet.md` the diagram between its two marks is.
"""

import sys
from pathlib import Path
from typing import Final

from gateway.core import slots

_BEGIN: Final = "<!-- Written by `make docs` from gateway/core/slots.py. -->\n"
_END: Final = "<!-- The end of what `make docs` writes. -->\n"

_NAMES = {phase: phase.name.capitalize() for phase in slots.Phase}


def diagram() -> str:
    """A Mermaid state diagram, as a block of Markdown."""
    lines = [f"    {name}: {phase.value}" for phase, name in _NAMES.items()]
    lines += ["    [*] --> Empty"]
    lines += [
        f"    {_NAMES[before]} --> {_NAMES[after]}: {event.name.lower()}"
        for (before, event), after in slots.TABLE.items()
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```", ""])


def page() -> str:
    """`slots.md`."""
    rules = (slots.__doc__ or "").split("\n\n", 1)[1].rsplit("\n\n", 1)[0]
    events = [f"| {event.name.lower()} | {event.value} |" for event in slots.Event]
    return "\n".join(
        [
            "# The slot machine",
            "",
            "Written by `make docs` from `gateway/core/slots.py`.",
            "",
            rules.strip(),
            "",
            diagram(),
            "| event | meaning |",
            "|---|---|",
            *events,
            "",
        ]
    )


def within(text: str) -> str:
    """`fleet.md` with the diagram of today."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{diagram()}{_END}{after}"


def main(docs: Path) -> None:
    (docs / "slots.md").write_text(page())
    fleet = docs / "fleet.md"
    fleet.write_text(within(fleet.read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
