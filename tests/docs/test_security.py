"""The threat model names for each promise what shows it, and that is there."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import DOCS, ROOT

PAGE: Final = DOCS / "security.md"
TEXT: Final = PAGE.read_text()

HEADER: Final = ["promise", "held by", "shown by"]

_TEST: Final = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_CODE: Final = re.compile(r"`((?:gateway|scripts|helm|requirements)/[\w./-]*|Dockerfile)`")


def rows(text: str = TEXT) -> list[list[str]]:
    """Each row of each table of promises."""
    found: list[list[str]] = []
    header = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            header = False
        elif cells == HEADER:
            header = True
        elif header and set(line) - set("|- "):
            found.append(cells)
    return found


@cache
def functions(path: str) -> frozenset[str]:
    """The test functions of a file, those of classes included."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    )


def missing(text: str) -> list[str]:
    """What is named and is not there."""
    tests = (
        f"{path}::{name}"
        for path, name in _TEST.findall(text)
        if not (ROOT / path).is_file() or (name and name not in functions(path))
    )
    return [*tests, *(path for path in _CODE.findall(text) if not (ROOT / path).exists())]


def test_there_are_promises() -> None:
    assert len(rows()) >= 30
    assert all(len(row) == len(HEADER) for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_each_promise_names_the_code_that_holds_it_and_a_test_that_shows_it(row: list[str]) -> None:
    promise, code, tests = row
    assert promise.endswith(".")
    assert _CODE.findall(code), "no code is named"
    assert any(name for _, name in _TEST.findall(tests)), "no test is named, as file::function"


def test_what_the_page_names_is_there() -> None:
    assert missing(TEXT) == []


def test_every_attacker_is_told_what_he_gets() -> None:
    """And no section is empty, or still to be written."""
    sections = re.split(r"^#{2,3} ", TEXT, flags=re.MULTILINE)[1:]
    assert all(len(section.split("\n", 1)[1].split()) > 10 for section in sections)
    assert not re.search(r"\b(TODO|TBD|FIXME|to be written)\b", TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "`tests/docs/test_security.py::test_no_such`",
        "`tests/docs/test_nothing.py::test_x`",
        "`gateway/nothing.py`",
    ],
)
def test_what_is_not_there_is_found(text: str) -> None:
    assert missing(text)


def test_a_row_is_read_as_it_stands() -> None:
    table = (
        "| promise | held by | shown by |\n|---|---|---|\n| It. | `a` | `b` |\n\n| x | y | z |\n"
    )
    assert rows(table) == [["It.", "`a`", "`b`"]]


def test_the_report_page_leads_here() -> None:
    policy = (ROOT / "SECURITY.md").read_text()
    assert "(docs/security.md)" in policy
    assert "](../SECURITY.md)" in TEXT
    assert Path(ROOT / "SECURITY.md").is_file()
