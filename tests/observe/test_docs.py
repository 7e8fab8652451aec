"""The pages say what the code does: nothing is missing, nothing is invented."""

import io
import json
import re
from pathlib import Path

import pytest

from gateway.core.errors import MintFailure
from gateway.core.events import RefusalCause
from gateway.core.ratelimit import CATEGORIES, UNKNOWN_CATEGORY, Kind
from gateway.core.slots import Phase
from gateway.core.token import Cause
from gateway.observe.fields import ALLOWED, ALWAYS
from gateway.observe.limit_metrics import NAMES
from gateway.observe.logs import configure
from gateway.observe.metrics import DENIED, FAILURE, PREVIOUS_SECRET, SUCCESS
from gateway.observe.pace_metrics import REASONS
from gateway.reports import ReplayOutcome, RetryOutcome
from tests.observe.charts import WALL
from tests.observe.lines import write_all
from tests.observe.promql import registry

DOCS = Path(__file__).parents[2] / "docs"
METRICS = (DOCS / "metrics.md").read_text()
LOGS = (DOCS / "logs.md").read_text()


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """The table below a heading: the first cell's name, and the others."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first.strip("`"): rest for first, *rest in cells}


HEADINGS = (
    "Calls",
    "Rate limits and errors",
    "Tokens",
    "The listener and its limits",
    "The process",
)


def documented_metrics() -> dict[str, tuple[str, set[str]]]:
    found = {}
    for heading in HEADINGS:
        for name, (kind, labels, meaning, _) in rows(METRICS, heading).items():
            assert meaning
            found[name] = (kind, set(re.findall(r"`(\w+)`", labels)))
    return found


def real_metrics() -> dict[str, tuple[str, set[str]]]:
    found = {}
    for family in registry().registry.collect():
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        kind = {"info": "gauge"}.get(family.type, family.type)
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[f"{family.name}{suffix}"] = (kind, labels)
    return found


def test_every_metric_is_documented_and_no_other() -> None:
    documented, real = documented_metrics(), real_metrics()
    # Only Linux tells of processes.
    everywhere = {name for name in documented if not name.startswith("process_")}
    assert everywhere <= real.keys() <= documented.keys()
    for name, told in real.items():
        assert (name, documented[name]) == (name, told)


@pytest.mark.parametrize(
    ("label", "values"),
    [
        ("outcome", {one.value for one in (*ReplayOutcome, *RetryOutcome)}),
        ("category", {*CATEGORIES, UNKNOWN_CATEGORY}),
        ("type", {one.value for one in Kind}),
        ("reason", {one.value for one in Cause} | set(DENIED) | set(REASONS)),
        ("result", {one.value for one in MintFailure} | {SUCCESS, PREVIOUS_SECRET, FAILURE}),
        ("cause", {one.value for one in RefusalCause}),
        ("phase", {one.name.lower() for one in Phase}),
        ("limit", set(NAMES)),
        ("place", {"memory", "disk"}),
    ],
)
def test_every_value_of_a_label_is_documented_and_no_other(label: str, values: set[str]) -> None:
    table = METRICS.split("\n## ")[0]
    (row,) = (line for line in table.splitlines() if line.startswith(f"| `{label}` |"))
    assert set(re.findall(r"`([\w-]+)`", row)) - {label} == values


def examples() -> list[dict[str, object]]:
    (block,) = re.findall(r"```json\n(.*?)```", LOGS, re.DOTALL)
    return [json.loads(line) for line in block.splitlines()]


def test_every_field_is_documented_and_no_other() -> None:
    documented = rows(LOGS, "Fields")
    assert set(documented) == ALLOWED | set(ALWAYS)
    assert all(meaning for (meaning,) in documented.values())


def test_every_field_stands_in_an_example() -> None:
    shown = {name for line in examples() for name in line}
    # What stands on a line of any kind, and on few of them.
    assert (ALLOWED | set(ALWAYS)) - shown == {"dropped_fields", "lines_lost"}


@pytest.fixture
def written(_logging_as_it_was: None) -> list[dict[str, object]]:
    stream = io.StringIO()
    write_all(configure("json", "debug", stream, lambda: WALL))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_event_is_documented_with_its_levels(written: list[dict[str, object]]) -> None:
    documented = rows(LOGS, "Events")
    assert set(documented) == {line["event"] for line in written}
    for line in written:
        assert str(line["level"]) in documented[str(line["event"])][0]


def test_the_examples_are_what_is_written(written: list[dict[str, object]]) -> None:
    shown = examples()
    changing = ("timestamp", "place", "trace")
    for line in (*shown, *written):
        for name in changing:
            line.pop(name, None)
    assert shown == written
