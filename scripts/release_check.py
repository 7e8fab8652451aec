"""Say whether everything that names a version names that of gateway/__init__.py.

    python scripts/release_check.py [--release] [ROOT]

With `--release` the changelog must have the version's own section, and nothing above it.
Exit code 0: all agree; 1: what does not is printed, a line each.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]

_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_SECTION: Final = re.compile(r"^## \[(.+?)\](?: - (\S+))?$", re.MULTILINE)
_DATE: Final = re.compile(r"20\d\d-\d\d-\d\d")
_IMAGE: Final = re.compile(r"zoom-gateway:(\d+\.\d+\.\d+)")
_BUILD: Final = re.compile(
    r"(?:^ARG VERSION=|org\.opencontainers\.image\.version=)[\"']?(\d[^\"'\s]*)", re.MULTILINE
)

_UNRELEASED: Final = "Unreleased"
_OTHER_VERSIONS: Final = {"docs/upgrades.md", "docs/releasing.md"}
"""Pages that speak of more versions than this one."""


def problems(root: Path, *, release: bool = False) -> list[str]:
    """What does not agree; empty if all is well."""
    text = (root / "gateway" / "__init__.py").read_text()
    found = re.findall(r'^__version__ = "(.*)"$', text, re.MULTILINE)
    if len(found) != 1 or not _VERSION.fullmatch(found[0]):
        return [f"gateway/__init__.py: __version__ must be three numbers, once; it is {found}"]
    version = found[0]
    return [
        *_changelog((root / "CHANGELOG.md").read_text(), version, release=release),
        *_chart(root / "helm", version),
        *_names(root, version),
    ]


def _changelog(text: str, version: str, *, release: bool) -> Iterator[str]:
    sections = _SECTION.findall(text)
    names = [name for name, _ in sections]
    if names[:1] != [_UNRELEASED]:
        yield f"CHANGELOG.md: the first section must be [{_UNRELEASED}]"
        return
    for name, date in sections[1:]:
        if not _VERSION.fullmatch(name) or not _DATE.fullmatch(date):
            yield f"CHANGELOG.md: [{name}] must be a version with its date: ## [1.2.3] - 2027-01-31"
            return
    released = [_order(name) for name in names[1:]]
    if released != sorted(set(released), reverse=True):
        yield "CHANGELOG.md: the newest version comes first, and each once"
    if released and released[0] > _order(version):
        yield f"CHANGELOG.md: [{names[1]}] is newer than {version}"
    pending = _SECTION.split(text)[3].strip()
    if pending and released and released[0] == _order(version) and not release:
        yield f"CHANGELOG.md: {version} is released, and more was done: raise the version"
    if release and (pending or names[1:2] != [version]):
        yield f"CHANGELOG.md: the section below an empty [{_UNRELEASED}] must be [{version}]"


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _chart(helm: Path, version: str) -> Iterator[str]:
    if not (helm / "Chart.yaml").exists():
        yield "helm/Chart.yaml: is missing"
        return
    chart = yaml.safe_load((helm / "Chart.yaml").read_text())
    for key in ("version", "appVersion"):
        if chart.get(key) != version:
            yield f"helm/Chart.yaml: {key} is {chart.get(key)!r}, not {version!r}"
    tag = (yaml.safe_load((helm / "values.yaml").read_text()).get("image") or {}).get("tag")
    if tag not in (None, "", version):
        yield f"helm/values.yaml: image.tag is {tag!r}: leave it empty, it is the appVersion then"


def _names(root: Path, version: str) -> Iterator[str]:
    """The image's name with a tag, wherever it stands, and the image's own label."""
    files = [
        *(root / name for name in ("README.md", "Dockerfile")),
        *(path for folder in ("docs", "helm", "config") for path in (root / folder).rglob("*")),
    ]
    for path in sorted(files):
        name = str(path.relative_to(root))
        if name in _OTHER_VERSIONS or path.suffix not in ("", ".md", ".yaml", ".yml", ".txt"):
            continue
        if path.is_file():
            text = path.read_text()
            for other in {*_IMAGE.findall(text), *_BUILD.findall(text)} - {version}:
                yield f"{name}: names version {other}, not {version}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Do all versions agree?")
    parser.add_argument("--release", action="store_true", help="the changelog, too, is ready")
    parser.add_argument("root", nargs="?", type=Path, default=ROOT)
    options = parser.parse_args()
    found = problems(options.root, release=options.release)
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
