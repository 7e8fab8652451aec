"""How a replica's copy of an account's document and the store's are brought together."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from gateway.core import account as ledger_rules
from gateway.core.account import Account, Change, Outcome
from gateway.core.events import TokenEvent
from gateway.core.history import behind, newest
from gateway.core.slots import Slot
from gateway.core.token import Token


def rejoin(folded: Account, account: Account, now: float) -> Outcome:
    """What a replica did alone, on top of a document that others may have moved on."""
    del now
    if behind(account, folded, rewound=True):
        return replace(folded, epoch=account.epoch), ()
    return account, ()


def reduce(
    account: Account, changes: Iterable[Change], now: float
) -> tuple[Account, list[tuple[TokenEvent, ...]]]:
    """The account after all changes, and the events of each."""
    events = []
    account = ledger_rules.advance(account, now)
    for change in changes:
        account, told = change(account, now)
        events.append(told)
    return account, events


def pin(account: Account, known: Account) -> Account:
    """A token's life, once measured by this replica's clock, is not measured again by the
    store's: a jump of that clock must end no token early and lend none a longer life.
    """
    if account.epoch != known.epoch:
        return account
    lives = {slot.token.generation: slot.token for slot in _all(known) if slot.token}
    strangers = {name: _lived(slot, lives) for name, slot in account.strangers.items()}
    slots = tuple(_lived(slot, lives) for slot in account.slots)
    pinned = replace(account, slots=slots, strangers=MappingProxyType(strangers))
    before, after = newest(account), newest(pinned)
    if before is None or after is None or account.rotate_at is None:
        return pinned
    return replace(pinned, rotate_at=account.rotate_at + after.issued_at - before.issued_at)


def _all(account: Account) -> Iterable[Slot]:
    return itertools.chain(account.slots, account.strangers.values())


def _lived(slot: Slot, lives: Mapping[int, Token]) -> Slot:
    if slot.token is None or slot.token.generation not in lives:
        return slot
    known = lives[slot.token.generation]
    if known.value != slot.token.value:
        return slot
    token = replace(slot.token, issued_at=known.issued_at, expires_at=known.expires_at)
    return replace(slot, token=token)
