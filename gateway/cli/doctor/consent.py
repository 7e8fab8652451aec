"""Whether mints that end tokens in use may be made: the operator's word for it."""

import sys
import time
from collections.abc import Sequence

import click

from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.cli.doctor.invalidation import MOST
from gateway.cli.doctor.minting import tried
from gateway.cli.doctor.running import Deadline
from gateway.settings import Settings


def price(settings: Settings, accounts: Sequence[str], live: Sequence[str]) -> str:
    """What it costs, in words."""
    mints = sum(MOST + (len(tried(settings.accounts[name])) > 1) for name in accounts)
    text = (
        f"--probe-invalidation mints up to {mints} tokens in {_named('account', accounts)}. "
        "Tokens of these apps that are in use now may end, those of programs that are not behind "
        "the gateway, too. A running gateway replaces its own, at the cost of a mint and of "
        "calls that are sent again."
    )
    in_use = [name for name in accounts if name in live]
    if in_use:
        text += (
            f" The store holds a token in use of {_named('account', in_use)}: a fleet is running."
        )
    return text


def ask(cost: str, deadline: Deadline, *, yes: bool) -> Finding | None:
    """None: go on. The time at the prompt does not count."""
    if yes:
        return None
    if not sys.stdin.isatty():
        return Finding(
            Code.INVALIDATION_NOT_ASKED,
            Level.PROBLEM,
            "--probe-invalidation",
            f"Nothing was tried, as there is no terminal to ask at. {cost}",
            "Say --yes if that is all right.",
        )
    begun = time.monotonic()
    # Standard output may be JSON for a program.
    try:
        agreed = click.confirm(f"{cost}\nGo on?", default=False, err=True)
    except click.Abort:  # Ctrl-C, or the end of the input
        agreed = False
    deadline.put_off(time.monotonic() - begun)
    if agreed:
        return None
    return Finding(
        Code.INVALIDATION_DECLINED,
        Level.NOTICE,
        "--probe-invalidation",
        "What a mint does to the token before it was not tried.",
    )


def _named(what: str, names: Sequence[str]) -> str:
    return f"{what}{'s' * (len(names) > 1)} {', '.join(names)}"
