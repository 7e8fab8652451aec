"""The pages, read as Markdown: their code, links, headings."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "helm").rglob("*.md")),
)

SHELLS: Final = ("sh", "bash", "console")
_PROMPT: Final = "$ "


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code. `line` is that of its fence, counted from 1."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The command lines of a shell's block; of a `console`, what follows a prompt.

        A line that ends with a backslash goes on in the next.
        """
        text = self.text.replace("\\\n", " ")
        if self.language != "console":
            return text.splitlines()
        found = (line for line in text.splitlines() if line.startswith(_PROMPT))
        return [line.removeprefix(_PROMPT) for line in found]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text())


def _inline(page: Path) -> Iterator[Token]:
    for token in _tokens(page):
        yield from token.children or ()


def blocks(page: Path, *languages: str) -> list[Block]:
    """The page's blocks of code in these languages; without any, all."""
    found = []
    for token in _tokens(page):
        if token.type == "fence":
            assert token.map
            language = (token.info.split() or [""])[0]
            if not languages or language in languages:
                found.append(Block(page, token.map[0] + 1, language, token.content))
    return found


def all_blocks(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page, *languages)]


def spans(page: Path) -> list[str]:
    """The pieces of code within sentences."""
    return [token.content for token in _inline(page) if token.type == "code_inline"]


def links(page: Path) -> list[str]:
    """The targets of links and pictures that are not addresses of the web."""
    targets = (str(token.attrs.get("href") or token.attrs.get("src")) for token in _inline(page))
    return [one for one in targets if one != "None" and "://" not in one and "mailto:" not in one]


def anchors(page: Path) -> set[str]:
    """The fragments that lead to the page's headings, as GitHub makes them."""
    found, seen = set(), Counter[str]()
    tokens = _tokens(page)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            slug = _slug(tokens[place + 1])
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found


def _slug(heading: Token) -> str:
    text = "".join(token.content for token in heading.children or ())
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
