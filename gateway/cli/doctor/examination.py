"""All checks: which there are, what comes before what, and what is only done if it is asked for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from gateway import wiring
from gateway.cli.doctor import (
    access,
    consent,
    environment,
    files,
    invalidation,
    limits,
    listeners,
    minting,
    store,
    wanted,
    zoom,
)
from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.cli.doctor.running import DaemonThreads, Deadline, Section, run

Told = Callable[[Section], None]
"""Called with each section that is done, in order."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for."""

    accounts: tuple[str, ...]
    """Those in which tokens are minted."""
    mint: bool
    probe: bool
    yes: bool
    """Go on without asking."""
    rules: bool = False
    """Name every operation that callers may use."""


def examine(case: Case, wish: Wish, deadline: Deadline, told: Told) -> None:
    """In the order in which a call meets the things they are about.

    Raises KeyboardInterrupt. Not a coroutine: while the loop runs, Ctrl-C would not end a prompt.
    """
    # An import under way holds up the loop, and others would seem not to answer.
    wiring.load_clients(case.settings)
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(DaemonThreads())
        first = _harmless(case, wish)
        runner.run(run(first, deadline))
        way_out = Section("Proxy", [partial(environment.proxies, case)])
        runner.run(run([way_out], deadline))
        for section in (*first, way_out):
            told(section)
        for section in _minting(case, wish, deadline):
            runner.run(run([section], deadline))
            told(section)
        after = Section("Scopes", [partial(access.scopes, case, listing=wish.rules)])
        asked = Section("Scopes wanted", [partial(wanted.scopes, case, wish.accounts)])
        runner.run(run([after, asked], deadline))
        told(after)
        told(asked)


def _harmless(case: Case, wish: Wish) -> list[Section]:
    return [
        Section("Configuration", [partial(_configuration, case), partial(files.files, case)]),
        Section("Access", [partial(access.rules, case, listing=wish.rules)]),
        Section("Listeners", [partial(listeners.listeners, case)]),
        Section("Limits", [partial(limits.limits, case)]),
        Section("Bodies", [partial(files.spool, case)]),
        Section("Store", [partial(store.store, case)]),
        *(_way(case, way) for way in wiring.zoom_ways(case.settings)),
    ]


def _way(case: Case, way: wiring.Way) -> Section:
    heading = "Zoom's API" if way.key == "upstream.api_url" else "Zoom's token endpoint"
    return Section(heading, [partial(zoom.way, case, way)])


async def _configuration(case: Case) -> AsyncIterator[Finding]:
    names = list(case.settings.accounts)
    text = f"The configuration is complete; account{'s' * (len(names) > 1)} {', '.join(names)}."
    yield Finding(Code.CONFIGURATION_OK, Level.OK, "accounts", text, details={"accounts": names})
    for finding in environment.variables(case.environ):
        yield finding


def _minting(case: Case, wish: Wish, deadline: Deadline) -> Iterator[Section]:
    """One after the other: a mint of one may kill another's token."""
    heading = "Credentials"
    if not (wish.mint or wish.probe):
        text = "No token was minted: --mint tries the credentials, too."
        yield Section(heading, [partial(_say, Code.MINT_SKIPPED, text)])
        return
    if not all(case.reached.values()):
        text = "No token was minted, as Zoom was not reached."
        yield Section(heading, [partial(_say, Code.MINT_SKIPPED, text)])
        return
    refusal = _refusal(case, wish, deadline) if wish.probe else None
    probing = wish.probe and refusal is None
    if wish.mint:
        # What is minted for the probing tells of the credentials, too.
        mints = partial(minting.mint_all, case, wish.accounts, apart=probing)
        yield Section(heading, [mints], cut=invalidation.CUT)
    if wish.probe:
        trials = [partial(invalidation.try_all, case, wish.accounts)] if probing else []
        yield Section(
            "What a mint does to the token before it",
            trials,
            cut=invalidation.CUT,
            found=[refusal] if refusal else [],
        )


def _refusal(case: Case, wish: Wish, deadline: Deadline) -> Finding | None:
    cost = consent.price(case.settings, wish.accounts, case.live)
    return consent.ask(cost, deadline, yes=wish.yes)


async def _say(code: Code, text: str) -> AsyncIterator[Finding]:
    yield Finding(code, Level.NOTICE, "--mint", text)
