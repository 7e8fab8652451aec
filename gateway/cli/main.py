"""`zoom-gateway`: finds the command and imports nothing of the others."""

import importlib
import io
import os
import signal
import sys
from typing import Any, Final, NoReturn

import click

from gateway import __version__
from gateway.observe import uncaught

_COMMANDS: Final = {
    "serve": "run the gateway",
    "demo": "simulator and gateway together: no credentials, no network",
    "simulate": "run the Zoom simulator alone",
    "check": "validate the configuration and call Zoom; say what is wrong",
    "status": "show a running gateway's state",
}


INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it."""


class _Commands(click.Group):
    """Imports a command's module when it is called: `status` needs no server, `serve` no table."""

    def main(self, *args: Any, **extra: Any) -> Any:
        _end_on_sigterm()
        _complete_streams()
        _keep_to_ourselves()
        uncaught.install()
        return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(f"gateway.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101  told to the type checker
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zoom-gateway")
def main() -> None:
    """A reverse proxy in front of api.zoom.us that owns the Server-to-Server OAuth token."""


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
