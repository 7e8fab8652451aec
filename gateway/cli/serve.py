"""`zoom-gateway serve`: the gateway."""

from pathlib import Path

import click

from gateway.cli.options import config_option, load_or_exit


@click.command(help="Run the gateway until SIGTERM or Ctrl-C.")
@config_option
def serve(config: Path | None) -> None:
    settings = load_or_exit(config)
    # Imported only now: a configuration with problems is told of at once.
    from gateway.cli.running import run  # noqa: PLC0415
    from gateway.observe.logs import configure  # noqa: PLC0415

    raise SystemExit(run(settings, configure(settings.log.format, settings.log.level)))
