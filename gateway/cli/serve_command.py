"""The options of `zoom-gateway serve`, where they are more than `gateway.cli.plain` reads."""

from pathlib import Path

import click

from gateway.cli.options import config_option
from gateway.cli.plain import MOST_WORKERS
from gateway.cli.serve import serve as run


@click.command(
    help="Run the gateway until SIGTERM or Ctrl-C; SIGHUP makes it read its configuration again."
)
@config_option
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    show_default=True,
    help="Processes that share the port and the tokens: one for each core.",
)
def serve(config: Path | None, workers: int) -> None:
    run(config, workers)
