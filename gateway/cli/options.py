"""Options that several commands have."""

import math
from pathlib import Path
from typing import Any

import click

from gateway.cli.plain import CONFIG

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),
    default=None,
    envvar=CONFIG,
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
