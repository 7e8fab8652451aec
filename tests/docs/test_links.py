"""What a page links to is there, as seen in a clone: files, and headings in them."""

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, anchors, blocks, links, name


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


def test_the_index_lists_every_page_in_the_order_of_the_site() -> None:
    index = DOCS / "index.md"
    listed = [link.removesuffix(".md") for link in links(index) if link.endswith(".md")]
    trees = [block.text for block in blocks(index, "{toctree}")]
    assert listed == [line for tree in trees for line in tree.split("\n\n")[1].split()]
    assert {page.stem for page in DOCS.glob("*.md")} - {"index"} <= set(listed)
