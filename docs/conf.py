"""The site's settings: `make site` builds it into build/site.

It is read without a network: no font, script or picture comes from elsewhere.
"""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gateway import __version__  # noqa: E402  the line above says where it is

project = "zoom-gateway"
author = "The zoom-gateway authors"
project_copyright = f"{author}. Not affiliated with Zoom"
version = release = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_static"]
nitpicky = True

# The anchors of GitHub, so that a link with one works in both places.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]

html_theme = "furo"
html_title = f"zoom-gateway {release}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

# Blocks in a language of their own have no highlighter.
highlight_language = "none"
