"""What the benchmarks print, from numbers that were measured before."""

from pathlib import Path

import pytest

from benchmarks.support import chart, page
from benchmarks.support.results import DIRECT, GATEWAY, GOALS, Results
from benchmarks.support.wrk import FailedCallsError, read

PEERS = ("nginx", "Envoy", "Node http-proxy", "plain aiohttp", "Express + axios")


@pytest.fixture
def measured() -> Results:
    """Two rounds in which the gateway costs 50 µs in the median, Envoy 40, aiohttp 200."""
    found = Results("2026-01-31", "2 cores", "python benchmarks/overhead.py", 2)
    found.versions = {GATEWAY: "1.2.3", "Envoy": "1.40.0"}
    costs = {GATEWAY: 50.0, "nginx": 20.0, "Envoy": 40.0, "plain aiohttp": 200.0}
    for name, cost in costs.items():
        found.add(name, **{"idle rss": 70.4, "idle pss": 50.6})
        for noise in (-5.0, 5.0):
            found.add(name, cpu=cost + noise, p50=cost * 32, p99=cost * 100)
            found.add(
                name, **{"per second": 1e6 / cost, "one p50": 20 + cost, "one p99": 90 + cost}
            )
    for _ in range(2):
        found.add(DIRECT, **{"one p50": 20.0, "one p99": 90.0})
    found.note(**{"features on": 60.0, "features off": 45.0})
    found.note(**{"refused calls": 900.0, "unrefused calls": 1000.0})
    return found


def cells(text: str, first: str) -> list[str]:
    """The row of a table that begins with `first`."""
    rows = [line for line in text.splitlines() if line.startswith(f"| {first}")]
    assert len(rows) == 1, rows
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


def test_each_proxy_has_its_row(measured: Results) -> None:
    text = page.overhead(measured, PEERS)
    assert cells(text, "**zoom-gateway** 1.2.3") == [
        *("**zoom-gateway** 1.2.3", "50 (45 to 55)", "20,000", "1.60", "5.00"),
        *("50", "50", "70 (51)", "-"),
    ]
    assert cells(text, "Envoy 1.40.0")[1] == "40 (35 to 45)"
    assert "A call of one connection without a proxy: p50 20 µs, p99 90 µs." in text
    assert "10,000 paths" not in text
    measured.note(**{"distinct cpu": 70.0})
    assert "10,000 paths, a call costs the gateway 70 µs." in page.overhead(measured, PEERS)


def test_a_peer_that_was_not_there_leaves_its_row_empty(measured: Results) -> None:
    text = page.overhead(measured, PEERS)
    assert cells(text, "Node http-proxy") == ["Node http-proxy", *["-"] * 8]
    assert cells(text, "CPU per call against Node")[2:] == ["-", "not measured"]


def test_goals_are_met_or_missed(measured: Results) -> None:
    text = page.overhead(measured, PEERS)
    assert cells(text, "CPU per call against Envoy")[1:] == ["≤ 1", "1.25", "**missed**"]
    assert cells(text, "CPU per call against the plain")[1:] == ["≤ 0.33", "0.25", "met"]
    assert cells(text, "latency added to one connection's calls, p50")[2:] == ["1.25", "**missed**"]
    assert cells(text, "CPU per call of metrics")[1:] == ["≤ 0.1", "0.07", "met"]
    assert cells(text, "calls a second while")[1:] == ["≥ 0.85", "0.90", "met"]


def test_every_goal_has_its_row_even_if_nothing_was_measured() -> None:
    found = Results(problems=["peers: nginx ended"])
    text = page.overhead(found, PEERS)
    assert text.count("not measured") == len(GOALS)
    assert "Not measured: peers: nginx ended." in text


def test_the_numbers_survive_their_file(measured: Results, tmp_path: Path) -> None:
    measured.save(tmp_path / "build" / "overhead.json")
    again = Results.load(tmp_path / "build" / "overhead.json")
    assert page.overhead(again, PEERS) == page.overhead(measured, PEERS)


def test_only_what_is_between_the_markers_is_written_anew() -> None:
    before = "by hand\n<!-- begin: it -->\nold\n<!-- end: it -->\nby hand, too\n"
    after = page.replaced(before, "it", "new")
    assert after == "by hand\n<!-- begin: it -->\n\nnew\n\n<!-- end: it -->\nby hand, too\n"
    with pytest.raises(ValueError, match="no place"):
        page.replaced(before, "something else", "new")


def test_the_page_has_room_for_both_tables() -> None:
    text = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()
    for name in ("what a call costs", "how it grows"):
        page.replaced(text, name, "")


def test_the_chart_shows_those_that_were_measured(measured: Results, tmp_path: Path) -> None:
    chart.overhead(measured, PEERS, tmp_path / "one.svg")
    chart.overhead(measured, PEERS, tmp_path / "two.svg")
    drawn = (tmp_path / "one.svg").read_text()
    assert drawn == (tmp_path / "two.svg").read_text()
    assert all(name in drawn for name in (GATEWAY, "Envoy", "plain aiohttp"))
    assert "Node http-proxy" not in drawn


COUNTED = (
    "  1000 requests\ncounted calls=1000 microseconds=500000 failed=%d refused=%d p50=16 p99=90\n"
)


def test_what_wrk_counted_is_read() -> None:
    load = read("http://127.0.0.1:1/", COUNTED % (0, 0))
    assert load == (1000, 2000.0, 16, 90)


@pytest.mark.parametrize("output", [COUNTED % (1, 0), COUNTED % (0, 1), "Usage: wrk <url>"])
def test_a_load_in_which_calls_failed_counts_for_nothing(output: str) -> None:
    with pytest.raises(FailedCallsError, match="http://127"):
        read("http://127.0.0.1:1/", output)
