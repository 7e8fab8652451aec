"""What a problem may show of what was configured: a secret may stand in the wrong place."""

import re
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}")

_PLAIN: Final = re.compile(r"/[a-z0-9_./-]*")
"""A path as most are. What is made by chance, in base64, has capitals, too."""


def shown_name(path: Path, otherwise: str = "the file") -> str:
    """The path, for a problem, if it begins with what is there, or looks like one.

    Text with a / in it may well be a secret (in base64), and stand where its file is asked for.
    """
    first = Path(*path.parts[:2]) if path.is_absolute() else Path(*path.parts[:1])
    try:
        known = first.exists() or _PLAIN.fullmatch(str(path))
    except (OSError, ValueError):  # no path at all: too long, or with a null character
        return otherwise
    return str(path) if known else otherwise


def shown_key(step: str) -> str:
    """A step of a key's path, if it looks like one."""
    return step if _NAME.fullmatch(step) else "…"
