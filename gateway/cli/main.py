"""`zoom-gateway`: finds the command and imports nothing of the others."""

import importlib
from typing import Final

import click

from gateway import __version__

_COMMANDS: Final = {
    "serve": "run the gateway",
    "demo": "simulator and gateway together: no credentials, no network",
    "simulate": "run the Zoom simulator alone",
    "check": "validate the configuration and call Zoom; say what is wrong",
    "status": "show a running gateway's state",
}


class _Commands(click.Group):
    """Imports a command's module when it is called: `status` needs no server, `serve` no table."""

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
