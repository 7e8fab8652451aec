"""Does a mint kill the token before it? Tried with as few mints as tell.

In one slot: mint, and mint again until the first token is dead, at most three times. In another
slot of the same app, if there is one: one more mint, to see whether the index counts. Between two
apps nothing is tried: tokens of one never kill another's.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from gateway import wiring
from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.cli.doctor.minting import Bench, judge, tried
from gateway.core.secret import Secret
from gateway.core.token import SlotId
from gateway.core.verdict import Verdict, classify

MOST: Final = 3
"""Mints in the first slot: what still lives then lives beside two others, which is all that the
gateway needs to know."""

SETTLE: Final = 1.0
"""Seconds after which a token that still lives is called once more: Zoom may take a moment to
tell all its servers."""

CUT: Final = "Mints may have been made; a running gateway replaces the tokens that they ended."


@dataclass(slots=True)
class Trial:
    """One account's. `tokens` are those of the first slot, oldest first; the first `dead` died."""

    bench: Bench
    slots: tuple[SlotId, ...]
    tokens: list[Secret] = field(default_factory=list)
    dead: int = 0

    @property
    def most(self) -> int:
        """Live tokens that were seen side by side in the first slot."""
        return len(self.tokens) - self.dead


async def try_all(case: Case, accounts: tuple[str, ...]) -> AsyncIterator[Finding]:
    for name in accounts:
        async for finding in _try(case, name):
            yield finding


async def _try(case: Case, name: str) -> AsyncIterator[Finding]:
    account = case.settings.accounts[name]
    minter, api = wiring.minter(case.settings, account), wiring.upstream(case.settings)
    trial = Trial(Bench(case, name, minter, api), tried(account))
    try:
        async for finding in _first_slot(trial):
            yield finding
        if trial.tokens and len(trial.slots) > 1:
            async for finding in _other_slot(trial):
                yield finding
    finally:
        await minter.close()
        await api.close()


async def _first_slot(trial: Trial) -> AsyncIterator[Finding]:
    """Leaves `tokens` empty if nothing can be concluded."""
    bench, slot = trial.bench, trial.slots[0]
    grant = await bench.mint(slot)
    for finding in bench.said:
        yield finding
    if grant is None:
        return
    trusted = judge(bench, slot, await bench.call(grant.value))
    yield trusted
    trial.tokens.append(grant.value)
    if trusted.level is Level.PROBLEM or trusted.code is Code.TOKEN_UNCLEAR:
        trial.tokens.clear()
        return
    problem = await _until_dead(trial)
    if problem:
        trial.tokens.clear()
        yield _unclear(trial, problem)
    else:
        yield _concluded(trial)


async def _until_dead(trial: Trial) -> str:
    """Mint until the first token is dead. What went wrong, or nothing."""
    bench, slot = trial.bench, trial.slots[0]
    while len(trial.tokens) < MOST and not trial.dead:
        # Just before the mint, so that nobody else's is taken for ours.
        if await _lives(bench, trial.tokens[0]) is not True:
            return "the first token died before the next was minted"
        grant = await bench.mint(slot)
        if grant is None:
            return f"a mint failed ({bench.said[0].code.value})"
        trial.tokens.append(grant.value)
        alive = await _survives(bench, trial.tokens[0])
        if alive is None or await _lives(bench, grant.value) is not True:
            return "Zoom gave no clear answer, or refuses the newest token, too"
        trial.dead = int(not alive)
    return ""


async def _other_slot(trial: Trial) -> AsyncIterator[Finding]:
    """Mint under the other index, and look at the oldest token that lives."""
    bench, (slot, other) = trial.bench, trial.slots
    oldest = trial.tokens[trial.dead]
    if await _lives(bench, oldest) is not True:
        yield _unclear(trial, f"the token of slot {slot} died before slot {other} was tried")
        return
    grant = await bench.mint(other)
    for finding in bench.said:
        yield finding
    if grant is None:
        return
    alive = await _survives(bench, oldest)
    if alive is None or await _lives(bench, grant.value) is not True:
        yield _unclear(trial, "Zoom gave no clear answer, or refuses the newest token, too")
    elif alive:
        yield _counts(trial)
    else:
        yield _ignored(trial)


async def _survives(bench: Bench, token: Secret) -> bool | None:
    """Whether it lives, also a moment later. None: unclear."""
    if not (alive := await _lives(bench, token)):
        return alive
    await asyncio.sleep(SETTLE)
    later = await _lives(bench, token)
    # Where a fleet runs, its mint in between, in place of a token that ours ended, explains that
    # as well as a Zoom that takes its time.
    return None if later is False and bench.account in bench.case.live else later


async def _lives(bench: Bench, token: Secret) -> bool | None:
    """None: Zoom's answer does not tell."""
    answer = await bench.call(token)
    verdict = classify(answer.status, answer.body) if answer else Verdict.UNKNOWN
    return None if verdict is Verdict.UNKNOWN else not verdict.refuses


def _concluded(trial: Trial) -> Finding:
    slot, where, most = trial.slots[0], trial.bench.where(trial.slots[0]), trial.most
    if most == 1:
        code, rule = Code.INVALIDATION_SINGLE, "single"
        text = "single: a mint kills the token before it in its slot, at once."
        advice = (
            "One index works: calls in flight at a rotation are sent again. Two slots (two "
            "indexes, if Zoom allows them, or two apps) spare that, and leave a token in reserve."
        )
    elif trial.dead:
        code, rule = Code.INVALIDATION_MAX, f"max:{most}"
        text = (
            f"max:{most}: the {most} newest tokens of slot {slot} live, and a mint kills the one "
            "before them."
        )
        advice = (
            "One index is enough: no call is refused at a rotation. Programs that mint beside the "
            f"gateway still end its tokens once there are more than {most}."
        )
    else:
        code, rule = Code.INVALIDATION_MULTI, "multi"
        text = f"multi, as far as {most} tokens tell: all of them live side by side."
        advice = "One index is enough: no call is refused at a rotation."
    if len(trial.slots) > 1:
        advice = ""  # what is tried next decides
    details = {"mints": trial.bench.minted, "alive": most, "rule": rule}
    return Finding(code, Level.OK, where, f"{where}: {text}", advice, details)


def _counts(trial: Trial) -> Finding:
    slot, other = trial.slots
    where, details = trial.bench.where(other), {"mints": trial.bench.minted}
    text = f"{where}: a mint there leaves the tokens of slot {slot} alone."
    advice = (
        "Keep both indexes: no call is refused at a rotation, and there is a token in reserve."
        if trial.dead
        else "With tokens that live side by side anyway, the second index does no harm; it makes "
        "the spare that is kept in reserve."
    )
    return Finding(Code.INDEX_COUNTS, Level.OK, where, text, advice, details)


def _ignored(trial: Trial) -> Finding:
    slot, other = trial.slots
    where, newest = trial.bench.where(other), trial.most
    return Finding(
        Code.INDEX_IGNORED,
        Level.WARNING,
        where,
        f"{where}: a mint there kills a token of slot {slot}: Zoom ignores the token index, and "
        f"the {f'{newest} newest tokens' if newest > 1 else 'newest token'} of the whole app "
        "alone live.",
        "Take the second index out of token_indexes: it wins nothing. For a token in reserve, "
        "use a second app (docs/choosing-slots.md).",
        {"mints": trial.bench.minted, "rule": f"app-max:{newest}"},
    )


def _unclear(trial: Trial, why: str) -> Finding:
    where = trial.bench.where(trial.slots[0])
    return Finding(
        Code.INVALIDATION_UNCLEAR,
        Level.WARNING,
        where,
        f"{where}: nothing can be concluded: {why}.",
        "Another program (a running fleet?) mints with this app at the same time, or Zoom is in "
        "trouble: stop the one, or wait for the other, and try again.",
        {"mints": trial.bench.minted},
    )
