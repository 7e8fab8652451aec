"""The note of a mint in the document: before it, after it, and when it came to nothing."""

from dataclasses import replace

from gateway.core import course as rules
from gateway.core.account import Account, Change, Minting, Outcome
from gateway.core.course import Course, Mint
from gateway.core.errors import MAY_HAVE_MINTED, MintError
from gateway.core.history import holds, newest
from gateway.core.token import Grant


def begin(note: Minting, course: Course, account: Account, now: float) -> Outcome:
    """Only if it is still wanted: another replica's token may have come since the last look."""
    step = rules.next_step(account, course, now)
    if not isinstance(step, Mint) or step.slot != note.slot:
        return account, ()
    return rules.begin(account, note, now)


def unbegun(tag: str, account: Account, now: float) -> Outcome:
    """`tag` is that of the fence."""
    del now
    mine = account.minting is not None and account.minting.fence.rpartition(".")[2] == tag
    return (replace(account, minting=None) if mine else account), ()


def lost(note: Minting, account: Account, now: float) -> Outcome:
    return rules.lost(account, note, now)


def unless_newer(known: int, outcome: Grant | MintError, change: Change, note: Minting) -> Change:
    """A change that no fence guards: it counts unless others have minted since."""

    def apply(account: Account, now: float) -> Outcome:
        if isinstance(outcome, Grant) and holds(account, outcome.value):
            # It was written, and only the store's answer was lost: nothing is left but to tell.
            return account, change(account, now)[1]
        latest = newest(account)
        if account.generation <= known or latest is None or latest.issued_at < note.since:
            return change(account, now)
        return rules.lost(account, note, now) if may_have_minted(outcome) else (account, ())

    return apply


def may_have_minted(outcome: Grant | MintError) -> bool:
    return isinstance(outcome, Grant) or outcome.failure in MAY_HAVE_MINTED
