"""The site's settings: `make site` builds it into build/site.

It is read without a network: no font, script or picture comes from elsewhere.
"""
# ruff: noqa: INP001  # no package: Sphinx reads it by its path

import re
import sys
from pathlib import Path
from typing import Any, ClassVar, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gateway import __version__  # noqa: E402  the line above says where it is

project = "zoom-gateway"
author = "The zoom-gateway authors"
project_copyright = f"{author}. Not affiliated with Zoom"
version = release = __version__

extensions = ["myst_parser"]
nitpicky = True

# The anchors of GitHub, so that a link with one works in both places.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"zoom-gateway {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
html_copy_source = False

# Blocks that name no language are output, or lines of a terminal.
highlight_language = "none"


class Breaks(SphinxPostTransform):
    """Long names in tables may be broken after `_`, `.` and `/`, and nowhere else."""

    default_priority = 900
    builders = ("html",)
    _PLACES: ClassVar = re.compile(r"(?<=[_/])(?![_/])|(?<=[a-z\]]\.)(?=[a-z])")

    def run(self, **_: Any) -> None:
        for cell in self.document.findall(nodes.entry):
            for literal in cell.findall(nodes.literal):
                first, *rest = self._PLACES.split(literal.astext())
                parts: list[nodes.Node] = [nodes.Text(first)]
                for part in rest:
                    parts += [nodes.raw("", "<wbr>", format="html"), nodes.Text(part)]
                literal.children = []
                literal.extend(parts)


_OUTSIDE: Final = re.compile(r"\]\((\.\./[\w./-]+\.md)(#[\w-]*)?\)")
_STAND_INS: Final = {
    "../README.md": "index.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../CHANGELOG.md": "changelog.md",
}


def _stay_on_the_site(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Links to Markdown outside of this folder lead to its page here, or to the file itself."""

    def lead(link: re.Match[str]) -> str:
        page = _STAND_INS.get(link[1])
        return f"]({page}{link[2] or ''})" if page else f"](path:{link[1]})"

    source[0] = _OUTSIDE.sub(lead, source[0])


def setup(app: Sphinx) -> None:
    """Sphinx calls it."""
    app.add_post_transform(Breaks)
    app.connect("source-read", _stay_on_the_site)
