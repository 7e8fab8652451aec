"""structlog, imported without rich.

If rich is installed, structlog imports it, and that pygments: together a quarter of what all of the
gateway's libraries cost at the start, and some MiB for good. They draw tracebacks in colours, with
local variables; no line of ours has one. Whoever needs rich itself still imports it.
"""

import sys

_RICH = "rich"


def _hide() -> bool:
    """Let an import of rich fail; tell whether that was not so before."""
    if _RICH in sys.modules:
        return False
    sys.modules[_RICH] = None  # type: ignore[assignment]  # as the import system documents it
    return True


_hidden = _hide()
try:
    import structlog
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger
finally:
    if _hidden:
        del sys.modules[_RICH]

__all__ = ["EventDict", "FilteringBoundLogger", "WrappedLogger", "structlog"]
