"""The page about the soak is written from what it left behind, and not by hand."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.soak.record import Record, Sample
from tests.support.processes import ROOT

PAGE = ROOT / "docs" / "soak.md"


def seen(directory: Path, growth: float = 0.0) -> Record:
    """A run of an hour whose memory grows so many MiB an hour."""
    rows = range(0, 3600, 10)
    samples = [Sample(at, 200, 1.5, 9.5, 80 + growth * at / 3600, 40, 9, 12, 3) for at in rows]
    record = Record(samples=samples, summary={"calls": 720_000, "faults": {"SIGHUP": 3}})
    record.kinds.update({"get": 3})
    record.write(directory)
    return record


def write(source: Path, docs: Path) -> None:
    script = ROOT / "scripts" / "soak_page.py"
    subprocess.run([sys.executable, script, source, docs], check=True, cwd=ROOT)


def test_table_and_graph_are_written_anew_and_the_same_each_time(tmp_path: Path) -> None:
    source, docs = tmp_path / "build", tmp_path / "docs"
    seen(source)
    docs.mkdir()
    (docs / "soak.md").write_text(PAGE.read_text())
    write(source, docs)
    first = (docs / "soak.md").read_text(), (docs / "images" / "soak.svg").read_bytes()
    assert "| calls | 720,000 |" in first[0]
    assert "| faults around them | SIGHUP 3 |" in first[0]
    assert "resident memory" in "".join(ET.fromstring(first[1]).itertext())
    write(source, docs)
    assert ((docs / "soak.md").read_text(), (docs / "images" / "soak.svg").read_bytes()) == first


@pytest.mark.parametrize("growth", [0.0, 40.0])
def test_growth_is_found(tmp_path: Path, growth: float) -> None:
    record = seen(tmp_path, growth)
    assert record.growth("rss") == pytest.approx(0.75 * growth, abs=0.2)
    assert record.rise("rss") == pytest.approx(0.375 * growth, abs=0.2)
