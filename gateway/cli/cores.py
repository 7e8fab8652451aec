"""No core dump: it would hold the memory, and so tokens and secrets."""

import contextlib
import resource
from pathlib import Path
from typing import Final

_FILTER: Final = Path("/proc/self/coredump_filter")


def leave_none() -> None:
    """Let this process, and those that it starts, leave no core, as far as the system allows it.

    The limit keeps the kernel from writing a file, and holds for good: it is lowered for root's
    processes, too. A kernel that hands the core to a program (systemd-coredump) asks for no limit;
    so, where there is such a thing (Linux), no memory at all is to be in a core.

    PR_SET_DUMPABLE=0 would do both, but gives `/proc/self` to root, and so takes away the metrics
    about file descriptors and memory. Other processes of the same user can still attach a
    debugger, unless the system forbids it (Yama).
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        _FILTER.write_text("0")
