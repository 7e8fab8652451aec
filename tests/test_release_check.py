"""Whatever names a version names the one of the package."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from gateway import __version__

ROOT: Final = Path(__file__).resolve().parents[1]
SCRIPT: Final = ROOT / "scripts" / "release_check.py"

CHANGELOG: Final = """\
# Changelog

## [Unreleased]

## [1.2.3] - 2027-01-31

### Added

- This.

## [1.2.2] - 2027-01-01
"""


def check(root: Path, *options: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options, str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stderr.splitlines()
    assert done.returncode == int(bool(told)), done.stderr
    return told


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A released version in which all agree."""
    files = {
        "gateway/__init__.py": '"""It."""\n\n__version__ = "1.2.3"\n',
        "CHANGELOG.md": CHANGELOG,
        "README.md": "docker run zoom-gateway:1.2.3\n",
        "Dockerfile": "ARG VERSION=1.2.3\nLABEL org.opencontainers.image.version=$VERSION\n",
        "docs/docker.md": "docker run registry.example/zoom-gateway:1.2.3 serve\n",
        "docs/upgrades.md": "from zoom-gateway:1.1.0\n",
        "helm/Chart.yaml": "name: zoom-gateway\nversion: 1.2.3\nappVersion: '1.2.3'\n",
        "helm/values.yaml": "image: {repository: zoom-gateway, tag: ''}\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_all_versions_of_this_tree_agree() -> None:
    assert check(ROOT) == []


@pytest.mark.parametrize("options", [(), ("--release",)])
def test_nothing_is_said_where_all_agree(tree: Path, options: tuple[str, ...]) -> None:
    assert check(tree, *options) == []


@pytest.mark.parametrize(
    ("name", "text", "other", "told"),
    [
        ("gateway/__init__.py", "1.2.3", "1.2", "gateway/__init__.py: __version__ must be"),
        ("gateway/__init__.py", "1.2.3", "1.2.2", "CHANGELOG.md: [1.2.3] is newer than 1.2.2"),
        ("CHANGELOG.md", "## [Unreleased]\n", "", "CHANGELOG.md: the first section must be"),
        ("CHANGELOG.md", " - 2027-01-31", "", "CHANGELOG.md: [1.2.3] must be a version with"),
        ("CHANGELOG.md", "[1.2.2]", "[1.2.3]", "CHANGELOG.md: the newest version comes first"),
        (
            "CHANGELOG.md",
            "[Unreleased]",
            "[Unreleased]\n- More.",
            "CHANGELOG.md: 1.2.3 is released",
        ),
        ("helm/Chart.yaml", "version: 1.2.3", "version: 1.2.2", "helm/Chart.yaml: version is"),
        ("helm/Chart.yaml", "'1.2.3'", "1.2.4", "helm/Chart.yaml: appVersion is '1.2.4'"),
        ("helm/values.yaml", "''", "1.2.2", "helm/values.yaml: image.tag is '1.2.2'"),
        ("Dockerfile", "=1.2.3", "=1.2.2", "Dockerfile: names version 1.2.2, not 1.2.3"),
        ("docs/docker.md", "1.2.3", "1.2.2", "docs/docker.md: names version 1.2.2, not 1.2.3"),
        ("README.md", "1.2.3", "1.2.2", "README.md: names version 1.2.2, not 1.2.3"),
    ],
)
def test_what_does_not_agree_is_told(
    tree: Path, name: str, text: str, other: str, told: str
) -> None:
    path = tree / name
    assert text in path.read_text()
    path.write_text(path.read_text().replace(text, other, 1))
    assert any(line.startswith(told) for line in check(tree)), check(tree)


@pytest.mark.parametrize("missing", ["[1.2.3] - 2027-01-31", "## [Unreleased]"])
def test_a_release_needs_a_section_of_its_own(tree: Path, missing: str) -> None:
    path = tree / "CHANGELOG.md"
    text = path.read_text()
    if missing.startswith("##"):
        path.write_text(text.replace(missing, f"{missing}\n\n- Not yet told."))
    else:
        path.write_text(text.replace(missing, "[1.2.1] - 2026-12-31").replace("[1.2.2]", "[1.2.0]"))
        assert check(tree) == []
    (told,) = check(tree, "--release")
    assert told == "CHANGELOG.md: the section below an empty [Unreleased] must be [1.2.3]"


def test_the_chart_must_be_there(tree: Path) -> None:
    shutil.rmtree(tree / "helm")
    assert check(tree) == ["helm/Chart.yaml: is missing"]


def test_the_program_says_its_version() -> None:
    command = [sys.executable, "-m", "gateway", "--version"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == f"zoom-gateway, version {__version__}\n"
