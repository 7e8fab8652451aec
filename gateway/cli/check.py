"""`zoom-gateway check`: is the configuration right, and does Zoom take it?"""

import asyncio
from pathlib import Path

import click

from gateway.cli.findings import Finding, Level, report
from gateway.cli.options import config_option, load_or_exit


@click.command(
    help="Validate the configuration and call Zoom; say what is wrong and what to do. "
    "Exit code 0: all is well; 1: something was found; 2: the configuration cannot be used."
)
@config_option
@click.option(
    "--mint",
    is_flag=True,
    help="Mint a token in every slot, and call Zoom with it. Depending on the account this ends "
    "the tokens in use; a running gateway notices and replaces its own.",
)
def check(config: Path | None, mint: bool) -> None:  # noqa: FBT001  click passes flags by position
    settings = load_or_exit(config)
    from gateway.cli.checks import examine  # noqa: PLC0415  nothing of it is needed for bad input

    found = [Finding(Level.OK, _accounts(list(settings.accounts)))]
    found += asyncio.run(examine(settings, config, mint=mint))
    report(found, click.echo)
    raise SystemExit(int(any(finding.level is not Level.OK for finding in found)))


def _accounts(names: list[str]) -> str:
    return f"The configuration is complete; account{'s' * (len(names) > 1)} {', '.join(names)}."
