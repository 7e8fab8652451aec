"""Pages that are written from the code say what the code does today."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "slot_diagram.py"))
HINT = "run make docs"


def test_the_page_of_the_slot_machine() -> None:
    assert (ROOT / "docs" / "slots.md").read_text() == SCRIPT["page"](), HINT


def test_its_diagram_in_the_page_on_fleets() -> None:
    text = (ROOT / "docs" / "fleet.md").read_text()
    assert SCRIPT["diagram"]() in text
    assert text == SCRIPT["within"](text), HINT
