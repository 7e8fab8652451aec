"""The site builds without a warning, and is whole: nothing of it comes from elsewhere."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from gateway import __version__
from tests.docs.pages import DOCS, ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-W", "--keep-going", "--builder=html"),
            *("--doctree-dir", str(made / "doctrees"), str(DOCS), str(made / "html")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    return made / "html"


class _Needs(HTMLParser):
    """What a page loads by itself, and where it leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value for name, value in attrs if value}
        if "src" in named:
            self.loads.append(named["src"])
        if "href" in named:
            (self.loads if tag == "link" else self.leads).append(named["href"])


def _pages(site: Path) -> Iterator[tuple[Path, _Needs]]:
    for page in site.glob("*.html"):
        yield page, _Needs(page.read_text())


def test_every_page_is_in_it(site: Path) -> None:
    assert {page.stem for page in DOCS.glob("*.md")} <= {page.stem for page in site.glob("*.html")}


def test_it_loads_only_what_is_in_it(site: Path) -> None:
    for page, needs in _pages(site):
        assert needs.loads
        for target in needs.loads:
            assert "//" not in target, f"{page.name}: {target}"
            file = unquote(re.split("[?#]", target)[0])
            assert not file or (site / file).is_file(), f"{page.name}: {target}"
    styles = "".join(style.read_text() for style in site.rglob("*.css"))
    assert not re.findall(r"url\([\"']?(?:https?:)?//|@import", styles)


def test_its_links_stay_in_it_or_go_to_the_web(site: Path) -> None:
    for page, needs in _pages(site):
        for target in needs.leads:
            file = unquote(target.partition("#")[0])
            if "://" not in file and file:
                assert (site / file).is_file(), f"{page.name}: {target}"


def test_it_shows_the_slot_machine_and_the_version(site: Path) -> None:
    assert (site / "_images" / "slots.svg").read_text() == (DOCS / "images/slots.svg").read_text()
    assert 'src="_images/slots.svg"' in (site / "how-it-works.html").read_text()
    assert __version__ in (site / "index.html").read_text()
