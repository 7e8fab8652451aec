"""The commands. Each is imported when it is called: `status` needs no server, `serve` no table."""

import importlib
from typing import Any, Final

import click

from gateway import __version__
from gateway.cli.main import INTERRUPTED

_COMMANDS: Final = {
    "serve": "run the gateway",
    "demo": "simulator and gateway together: no credentials, no network",
    "simulate": "run the Zoom simulator alone",
    "check": "validate the configuration and call Zoom; say what is wrong",
    "status": "show a running gateway's state",
}

_MODULES: Final = {"serve": "serve_command"}
"""Those that have another name than their command."""


class _Commands(click.Group):
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
        module = importlib.import_module(f"gateway.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101  told to the type checker
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zoom-gateway")
def program() -> None:
    """A reverse proxy in front of api.zoom.us that owns the Server-to-Server OAuth token."""
