"""What happened in each minute of the last hours."""

from gateway.core.timeline import COLUMNS, STEP, Kind, Timeline

START = 6000.0


def test_only_minutes_with_something_are_told() -> None:
    line = Timeline(START)
    assert line.rows(START) == []
    line.add(START, Kind.CALLS)
    line.add(START + 1, Kind.CALLS)
    line.add(START + 200, Kind.MINTS)
    assert line.rows(START + 200) == [[3, 2, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0]]
    assert [row[0] for row in line.rows(START + 260)] == [4, 1]


def test_each_kind_has_a_place_of_its_own() -> None:
    line = Timeline(START)
    for kind in Kind:
        for _ in range(kind + 1):
            line.add(START, kind)
    assert line.rows(START) == [[0, 1, 2, 3, 4, 5, 6]]


def test_what_is_older_is_forgotten() -> None:
    line = Timeline(START)
    line.add(START, Kind.CALLS)
    last = START + (COLUMNS - 1) * STEP
    assert [row[0] for row in line.rows(last)] == [COLUMNS - 1]
    assert line.rows(last + STEP) == []
    line.add(last + STEP, Kind.CALLS)
    assert [row[0] for row in line.rows(last + STEP)] == [0]


def test_a_long_silence_empties_all() -> None:
    line = Timeline(START)
    for minute in range(COLUMNS):
        line.add(START + minute * STEP, Kind.REFUSALS)
    assert len(line.rows(START + (COLUMNS - 1) * STEP)) == COLUMNS
    line.add(1e9, Kind.CALLS)
    assert line.rows(1e9) == [[0, 1, 0, 0, 0, 0, 0]]
