"""`zoom-gateway check`: is the configuration right, and does everything around it work?"""

import os
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from gateway.cli import cores
from gateway.cli.basics import complain
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.environment import variables
from gateway.cli.doctor.findings import Finding, Level, as_json, conclude, ignoring, report
from gateway.cli.main import INTERRUPTED
from gateway.cli.options import Seconds, config_option
from gateway.core.errors import ConfigurationError
from gateway.settings import Settings, load

if TYPE_CHECKING:
    from gateway.settings.wanted import Wanted

UNUSABLE: Final = 2
"""Exit code."""


@click.command(
    help="Validate the configuration, look at all that a call will meet, and call Zoom; say what "
    "is wrong and what to do. Exit code 0: all is well; 1: something was found; 2: the "
    "configuration cannot be used."
)
@config_option
@click.option(
    "--mint",
    is_flag=True,
    help="Mint a token in every slot, and call Zoom with it. Depending on the account this ends "
    "the tokens in use; a running gateway notices and replaces its own.",
)
@click.option(
    "--probe-invalidation",
    "probe",
    is_flag=True,
    help="Find out whether a mint kills the token before it, with at most 4 mints an account. "
    "Asks before.",
)
@click.option("--yes", is_flag=True, help="Do not ask before --probe-invalidation.")
@click.option(
    "--account",
    "accounts",
    multiple=True,
    help="Mint in this account alone, and look at its scopes alone. May be repeated.",
)
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="CODE",
    help="Do not count this finding for the exit code. May be repeated.",
)
@click.option(
    "--timeout",
    type=Seconds(),
    default=30.0,
    show_default=True,
    help="Seconds for all checks together.",
)
@click.option("--rules", is_flag=True, help="Name every operation that callers may use.")
@click.option(
    "--for",
    "wanted",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Say which scopes the token lacks for these operations: access rules as in access.rules, "
    "or a list such as GET /v2/users, one a line. The token is that of the store, or of --mint.",
)
@click.option("--json", "plain", is_flag=True, help="Print the findings as a list of objects.")
def check(config: Path | None, ignored: tuple[str, ...], *, plain: bool, **wishes: Any) -> None:
    for code in sorted(set(ignored) - set(Code)):
        raise click.BadParameter(f"{code!r} is no code of a finding.", param_hint="--ignore")
    voice = _Voice(ignored, plain=plain)
    cores.leave_none()
    try:
        settings = load(config, os.environ)
        _demand_the_parser()
    except ConfigurationError as error:
        _unusable(error, config, voice)
        _leave(UNUSABLE)
    for name in sorted(set(wishes["accounts"]) - settings.accounts.keys()):
        raise click.BadParameter(f"{name!r} is not configured.", param_hint="--account")
    wishes["wanted"] = _read_wanted(wishes["wanted"], voice)
    try:
        _examine(settings, config, voice, **wishes)
    except KeyboardInterrupt:
        minted = " Tokens may have been minted." if wishes["mint"] or wishes["probe"] else ""
        click.echo(f"Interrupted.{minted}", err=True)
        _leave(INTERRUPTED)
    _leave(voice.conclude())


def _examine(
    settings: Settings,
    config: Path | None,
    voice: "_Voice",
    *,
    accounts: tuple[str, ...],
    wanted: "Wanted | None",
    timeout: float,
    **wishes: bool,
) -> None:
    # Nothing of it is needed for a configuration that cannot be used.
    from gateway.cli.doctor.case import Case  # noqa: PLC0415
    from gateway.cli.doctor.examination import Wish, examine  # noqa: PLC0415
    from gateway.cli.doctor.running import Deadline  # noqa: PLC0415

    wish = Wish(accounts or tuple(settings.accounts), **wishes)
    case = Case(settings, config, os.environ, wanted)
    examine(case, wish, Deadline(timeout), lambda one: voice.tell(one.heading, one.found))


def _read_wanted(path: Path | None, voice: "_Voice") -> "Wanted | None":
    if path is None:
        return None
    from gateway.settings.wanted import read_wanted  # noqa: PLC0415  few ask for it

    try:
        return read_wanted(path)
    except ConfigurationError as error:
        _unusable(error, None, voice)
        _leave(UNUSABLE)


def _demand_the_parser() -> None:
    """Raises ConfigurationError where `serve` would not take calls."""
    # Not at the top: it takes long, and a configuration with problems is told of at once.
    from gateway.web.parser import weakness  # noqa: PLC0415

    if (problem := weakness()) is not None:
        raise ConfigurationError([problem])


def _unusable(error: ConfigurationError, config: Path | None, voice: "_Voice") -> None:
    """Every problem, and the variables that may be the reason for some of them."""
    strays = list(variables(os.environ))
    if not voice.plain:
        complain(error, config)
        report("", strays, lambda line: click.echo(line, err=True))
        return
    problems = [
        Finding(Code.CONFIGURATION, Level.PROBLEM, _key(text), text) for text in error.problems
    ]
    _print(as_json([*problems, *strays]))


def _key(problem: str) -> str:
    """What stands before the colon: a key, a variable or a file."""
    return problem.partition(": ")[0].partition(" (from ")[0]


def _print(text: str) -> None:
    try:
        click.echo(text)
    except BrokenPipeError:
        raise  # who read it has seen enough: click ends the program without a word
    except OSError as problem:
        why = f"Standard output cannot be written: {problem.strerror}."
        raise click.ClickException(why) from None


def _leave(code: int) -> NoReturn:
    """End the process, whatever a thread waits for: a disk or a name server that hangs, or a lock
    that it never gets once the interpreter winds up.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if threading.active_count() == 1:
        raise SystemExit(code)
    os._exit(code)


class _Voice:
    """Says what was found as it comes, or keeps it for a list at the end."""

    def __init__(self, ignored: Sequence[str], *, plain: bool) -> None:
        self._ignored = ignored
        self.plain = plain
        self._all: list[Finding] = []

    def tell(self, heading: str, found: Iterable[Finding]) -> None:
        found = ignoring(found, self._ignored)
        self._all += found
        if not self.plain:
            report(heading, found, _print)

    def conclude(self) -> int:
        """The exit code."""
        if self.plain:
            _print(as_json(self._all))
        else:
            conclude(self._all, _print)
        return int(any(finding.level.counts for finding in self._all))
