"""Pages and pictures that are written from the code say what the code does today."""

import runpy
from pathlib import Path
from xml.etree import ElementTree as ET

from gateway.core import slots

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "slot_diagram.py"))
PICTURE = ROOT / "docs" / "images" / "slots.svg"
HINT = "run make docs"


def test_the_page_of_the_slot_machine() -> None:
    assert (ROOT / "docs" / "slots.md").read_text() == SCRIPT["page"](), HINT


def test_its_picture() -> None:
    assert PICTURE.read_text() == SCRIPT["picture"](), HINT


def test_the_picture_shows_every_state_and_every_transition() -> None:
    texts = [
        (element.get("class"), element.text or "")
        for element in ET.fromstring(PICTURE.read_text()).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert sorted(text for kind, text in texts if kind == "state") == sorted(slots.Phase)
    labels = [name for kind, text in texts if kind == "event" for name in text.split(", ")]
    assert sorted(labels) == sorted(event.name.lower() for _, event in slots.TABLE)


def test_pages_that_tell_of_slots_show_it() -> None:
    for page in ("fleet.md", "how-it-works.md", "slots.md"):
        assert f"![{SCRIPT['ALT']}](images/slots.svg)" in (ROOT / "docs" / page).read_text()
