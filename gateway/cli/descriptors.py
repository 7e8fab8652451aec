"""How many files and sockets the process may have open."""

import contextlib
import sys
from typing import Final

ENOUGH: Final = 1 << 20
"""Linux's own ceiling (fs.nr_open). Containers may name a billion, which some programs that close
all their descriptors count through."""


def raise_limit() -> None:
    """Raise the soft limit to the hard one, as servers do: the soft one is 1024 for programs that
    use select(2), and nothing here does. Workers inherit it.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  not everywhere

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < most:
        # macOS names a hard limit that it does not grant.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
