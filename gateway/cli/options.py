"""What several commands share."""

import errno
import math
import os
import signal
from pathlib import Path
from typing import Any, NoReturn

import click

from gateway.core.errors import ConfigurationError
from gateway.settings import Settings, load

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),
    default=None,
    envvar="ZOOM_GATEWAY_CONFIG",
    help="The YAML file. Without one, the environment alone.",
)


class Seconds(click.FloatRange):
    """A time to wait, of a day at most."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True, max=86400)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found: float = super().convert(value, param, ctx)
        if math.isnan(found):  # which is in every range
            self.fail(f"{value!r} is no time.", param, ctx)
        return found


def load_or_exit(config: Path | None) -> Settings:
    """The settings; on problems all of them are printed, and the exit code is 2."""
    try:
        return load(config, os.environ)
    except ConfigurationError as error:
        refuse(error, config)


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
    click.echo(
        f"zoom-gateway: the configuration in {source} cannot be used; "
        f"{len(error.problems)} problem{'s' if many else ''}:",
        err=True,
    )
    for problem in error.problems:
        click.echo(f"  - {problem}", err=True)


def cannot_listen(problem: OSError) -> None:
    """Say so; `problem` has the address in `filename`."""
    unix = str(problem.filename).startswith("unix:")
    ports = problem.errno == errno.EACCES and not unix
    privilege = " Ports below 1024 need a privilege." if ports else ""
    keys = "listen.socket" if unix else "listen.host, listen.port, admin.host or admin.port"
    click.echo(
        f"zoom-gateway: cannot listen on {problem.filename}: {problem.strerror}.{privilege} "
        f"Change {keys}.",
        err=True,
    )


def block_hangup() -> None:
    """Let a SIGHUP wait until there is somebody to heed it; without, it would end the process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def unblock_hangup() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
