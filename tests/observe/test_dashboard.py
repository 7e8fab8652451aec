"""The dashboard is what the script writes, and Grafana can lay it out."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "helm" / "files" / "dashboard.json"
BOARD: dict[str, Any] = json.loads(FILE.read_text())
ROWS = [panel for panel in BOARD["panels"] if panel["type"] == "row"]
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def test_the_file_is_what_the_script_writes() -> None:
    command = [sys.executable, "scripts/dashboard.py"]
    written = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert FILE.read_text() == written, "run make docs"


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    place = panel["gridPos"]
    columns = range(place["x"], place["x"] + place["w"])
    return set(itertools.product(columns, range(place["y"], place["y"] + place["h"])))


def test_no_two_panels_overlap_and_none_leaves_the_grid() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARD["panels"]:
        for cell in cells(panel):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            assert 0 <= cell[0] < 24
            taken[cell] = panel["title"]


def test_panels_stand_below_their_row_in_the_order_of_the_questions() -> None:
    places = [panel["gridPos"]["y"] for panel in BOARD["panels"]]
    assert places == sorted(places)
    assert [row["title"] for row in ROWS] == [
        "Do calls succeed?",
        "Is there a token?",
        "Can tokens be minted?",
        "Who refuses what?",
        "Do Zoom's limits stand in the way?",
        "Where is the time lost?",
        "Who gets in, and is there room?",
        "Which replica is it?",
    ]


def test_each_panel_has_a_number_and_a_title_of_its_own() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_is_good_or_bad_in_a_unit(panel: dict[str, Any]) -> None:
    assert "Good" in panel["description"] or "Bad" in panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"] in {
        "none",
        "s",
        "reqps",
        "percentunit",
        "bytes",
    }
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for mapping in panel["fieldConfig"]["defaults"]["mappings"]:
        assert mapping["options"]


def test_no_data_source_is_named_but_the_variable() -> None:
    def sources(value: Any) -> list[Any]:
        if isinstance(value, list):
            return [one for item in value for one in sources(item)]
        if not isinstance(value, dict):
            return []
        own = [value["datasource"]] if "datasource" in value else []
        return own + [one for item in value.values() for one in sources(item)]

    found = sources(BOARD)
    assert len(found) > 2 * len(PANELS)
    assert all(one == {"type": "prometheus", "uid": "${datasource}"} for one in found)


def test_fleet_and_account_are_chosen_by_variables() -> None:
    names = [variable["name"] for variable in BOARD["templating"]["list"]]
    assert names == ["datasource", "cluster", "namespace", "job", "account"]
    for panel in PANELS:
        for target in panel["targets"]:
            text = target["expr"]
            assert 'cluster=~"$cluster", namespace=~"$namespace"' in text, panel["title"]
            # Another fleet's alerts and calls must not mix with those that were chosen.
            assert text.count('job=~"$job"') == text.count("{") or "ALERTS" in text, panel["title"]
            if "account" in text and "ALERTS" not in text:
                assert 'account=~"$account"' in text, panel["title"]


def test_it_is_small_enough_for_a_config_map() -> None:
    assert len(FILE.read_bytes()) < 500_000
