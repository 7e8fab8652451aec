"""`zoom-gateway`: what comes before any command, and then the command."""

import io
import os
import signal
import sys
from typing import Final, NoReturn

from gateway.cli.plain import Serve, serve_options
from gateway.observe import uncaught

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it."""


def main() -> None:
    """Do what the command line says."""
    _end_on_sigterm()
    _complete_streams()
    _keep_to_ourselves()
    uncaught.install()
    options = serve_options(sys.argv[1:], os.environ)
    if options is None:
        from gateway.cli.commands import program  # noqa: PLC0415  `serve` needs none of it

        program()
    else:
        _serve(options)


def _serve(options: Serve) -> None:
    try:
        from gateway.cli.serve import serve  # noqa: PLC0415  the other commands do without

        serve(*options)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


def _end_on_sigterm() -> None:
    """A container's first process has no default for signals: one that comes before the command
    heeds them would be lost, and the container be killed only after its whole time to stop.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end)


def _end(number: int, _: object) -> NoReturn:
    os._exit(128 + number)


def _keep_to_ourselves() -> None:
    """pydantic looks through all that is installed for plugins, which would see every secret."""
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"


def _complete_streams() -> None:
    """Whoever closed one of the three meant it to lead nowhere: the next file or connection must
    not take its number. What they cannot encode is escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            # The lowest number that is free is its own.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  it stays open
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
