"""What a page links to is there, as seen in a clone: files, and headings in them."""

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        file, _, fragment = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if fragment:
            assert target.suffix == ".md", link
            assert fragment in anchors(target), f"{link}: there are {sorted(anchors(target))}"
