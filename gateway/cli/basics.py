"""What all ways of serving share. It needs no library for commands: see `gateway.cli.plain`."""

import errno
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

from gateway.core.errors import ConfigurationError


def refuse(error: ConfigurationError, config: Path | None) -> NoReturn:
    """Print every problem and leave with 2."""
    complain(error, config)
    raise SystemExit(2)


def complain(error: ConfigurationError, config: Path | None) -> None:
    """Print every problem."""
    source = (
        f"{config} and the environment" if config else "the environment (no --config was given)"
    )
    many = len(error.problems) != 1
    _tell(
        f"zoom-gateway: the configuration in {source} cannot be used; "
        f"{len(error.problems)} problem{'s' if many else ''}:"
    )
    for problem in error.problems:
        _tell(f"  - {problem}")


def cannot_listen(problem: OSError) -> None:
    """Say so; `problem` has the address in `filename`."""
    unix = str(problem.filename).startswith("unix:")
    ports = problem.errno == errno.EACCES and not unix
    privilege = " Ports below 1024 need a privilege." if ports else ""
    keys = "listen.socket" if unix else "listen.host, listen.port, admin.host or admin.port"
    _tell(
        f"zoom-gateway: cannot listen on {problem.filename}: {problem.strerror}.{privilege} "
        f"Change {keys}."
    )


_YOUNG: Final = 10_000
"""New objects until the collector looks at them. Python's 700 are those of a dozen calls: with
thousands under way, all of them were gone through again and again, at half of a call's cost."""


def start_without_collector() -> None:
    """Collect no garbage until `spare_what_stays`: a start makes hardly any, and what it imports
    would be gone through again and again, for a seventh of its time.
    """
    gc.disable()


def spare_what_stays() -> None:
    """Keep the collector of garbage away from what was imported, for good.

    Else it goes through all of that again whenever many connections come, and every call waits.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    gc.enable()


def block_hangup() -> None:
    """Let a SIGHUP wait until there is somebody to heed it; without, it would end the process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def unblock_hangup() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def ourselves() -> tuple[str, ...]:
    """What starts a module of this program; its name is to follow."""
    # `-m` looks into the working directory first: only where this process did so, too.
    here = () if os.getcwd() in sys.path else ("-P",)  # noqa: PTH109  as sys.path has it
    return (sys.executable, *here, "-m")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
