"""Two copies of a document: does one of them know more than the other?

A store may lose what it was given last: restarted empty, or failed over to a server that had not
heard of it. A replica that finds a document there asks here whether its own copy is the newer one.
"""

from typing import Final

from gateway.core import slots as machine
from gateway.core.account import Account
from gateway.core.secret import Secret
from gateway.core.token import Token

DOUBT: Final = 1.0
"""Seconds by which two clocks may disagree about when a token was minted. Two replicas that each
took their own copy for the newer one would write for ever."""


def newest(account: Account) -> Token | None:
    """The token that was minted last, in whatever phase."""
    tokens = [slot.token for slot in account.slots if slot.token is not None]
    return max(tokens, key=lambda token: token.generation, default=None)


def holds(account: Account, value: Secret) -> bool:
    """Whether a token of that value is in the document, in whatever phase."""
    return any(slot.token is not None and slot.token.value == value for slot in account.slots)


def generation_of(account: Account, token: Token) -> int:
    """What the document calls this token.

    The generation that a replica gave it while the store was down may be another token's by now:
    then it is 0, which is nobody's.
    """
    for slot in account.slots:
        if slot.token is not None and slot.token.value == token.value:
            return slot.token.generation
    taken = machine.holding(account.slots, token.generation) is not None
    return 0 if taken else token.generation


def behind(found: Account, held: Account, *, rewound: bool) -> bool:
    """True if the copy `found` in the store lacks what the copy `held` here knows.

    `rewound`: the store counts no more writes than it had confirmed, and other ones.
    """
    ours, theirs = newest(held), newest(found)
    if ours is None:
        return False
    if found.epoch != held.epoch:
        return _lacks(found, held, ours, theirs)
    if found.generation != held.generation:
        return found.generation < held.generation and _lacks(found, held, ours, theirs)
    if theirs is not None and theirs.generation == ours.generation and theirs.value != ours.value:
        return _later(ours, theirs, DOUBT)
    return rewound


def _lacks(found: Account, held: Account, ours: Token, theirs: Token | None) -> bool:
    """The later mint is the better one: in its slot, it may have killed the other's token."""
    if theirs is None:
        return held.generation > found.generation
    if theirs.value == ours.value:
        return False
    return _later(ours, theirs, 0.0 if held.generation > found.generation else DOUBT)


def _later(ours: Token, theirs: Token, doubt: float) -> bool:
    return ours.issued_at - theirs.issued_at > doubt
