"""The script that holds each module of the core to its own test file."""

from pathlib import Path

import pytest

from scripts import core_coverage

MODULE = "def sign(number: int) -> str:\n    return 'minus' if number < 0 else 'plus'\n"
BRANCHES = """
def sign(number: int) -> str:
    word = 'plus'
    if number < 0:
        word = 'minus'
    return word
"""
HEAD = "from gateway.core.signs import sign\n\n\n"
ONE = HEAD + "def test_minus() -> None:\n    assert sign(-1) == 'minus'\n"
BOTH = ONE + "\n\ndef test_plus() -> None:\n    assert sign(1) == 'plus'\n"
WRONG = BOTH + "\n\ndef test_zero() -> None:\n    assert sign(0) == 'nought'\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with one module in its core."""
    for folder in ("gateway/core", "tests/core"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "gateway" / "__init__.py").touch()
    (tmp_path / "gateway" / "core" / "__init__.py").touch()
    (tmp_path / "gateway" / "core" / "signs.py").write_text(MODULE)
    return tmp_path


def measured(tree: Path, tests: str, module: str = MODULE) -> core_coverage.Finding:
    (tree / "gateway" / "core" / "signs.py").write_text(module)
    (tree / "tests" / "core" / "test_signs.py").write_text(tests)
    return core_coverage.examine(tree, "signs")


def test_a_module_that_its_own_test_file_covers_passes(tree: Path) -> None:
    assert measured(tree, BOTH).problem == ""


def test_a_branch_that_is_never_taken_is_named(tree: Path) -> None:
    problem = measured(tree, ONE, BRANCHES).problem
    assert "is not covered by test_signs.py" in problem
    assert "4->6" in problem


def test_tests_that_fail_cover_nothing(tree: Path) -> None:
    problem = measured(tree, WRONG).problem
    assert problem.startswith("its tests fail")
    assert "nought" in problem


def test_a_module_without_a_test_file_fails(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert core_coverage.main([], tree) == 1
    told = capsys.readouterr()
    assert told.err == "gateway/core/signs.py has no test file tests/core/test_signs.py\n"
    assert told.out == "0 of 1 modules of the core covered\n"


def test_a_module_may_be_exempt_but_not_from_a_test_file_that_it_has(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(core_coverage.EXEMPT, "signs", "plain data")
    assert core_coverage.main([], tree) == 0
    (tree / "tests" / "core" / "test_signs.py").touch()
    assert core_coverage.main([], tree) == 1


def test_every_exempt_module_exists() -> None:
    root = Path(__file__).parents[2]
    assert set(core_coverage.EXEMPT) <= set(core_coverage.modules(root))
