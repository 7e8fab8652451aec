"""Charts of accounts in well-known states, built by the rules that make the real ones."""

from dataclasses import replace
from types import MappingProxyType

from gateway.core import slots as machine
from gateway.core.account import Account, Holdoff, empty
from gateway.core.course import Course, Mint, Publication, failed, publish, relate
from gateway.core.diagnosis import Chart
from gateway.core.errors import MintError, MintFailure
from gateway.core.events import MintFailed
from gateway.core.presence import Presence, Sighting
from gateway.core.secret import Secret
from gateway.core.token import Cause, Grant, SlotId

NOW = 5_000.0
"""The moment of every chart, on its own clock."""

WALL = 1_800_000_000.0
"""The same moment, since the epoch: 2027-01-15T08:00:00Z."""

CANARY = "eyJcanary-token-value"
"""Every token's value: it must be found nowhere."""

A0, A1 = SlotId("default", 0), SlotId("default", 1)
LIFE = 3600.0


def minted(account: Account, slot: SlotId, at: float, cause: Cause = Cause.START) -> Account:
    grant = Grant(Secret(CANARY), LIFE, "user:read:admin")
    account, _ = publish(account, Publication(grant, slot, cause, "gw-1", at), Course(), at)
    return account


def accepted(account: Account) -> Account:
    slots = tuple(
        replace(slot, token=slot.token and replace(slot.token, accepted_at=NOW - 1))
        for slot in account.slots
    )
    return replace(account, slots=slots)


def untried() -> Chart:
    return Chart(empty("e", (A0,), NOW), NOW)


def healthy() -> Chart:
    """Two slots: token 1 is the spare, token 2 active and 900 s old."""
    account = minted(empty("e", (A0, A1), 0.0), A0, NOW - 2700)
    account = minted(account, A1, NOW - 900, Cause.ROTATION)
    return Chart(accepted(account), NOW)


def held_off() -> Chart:
    """One slot, whose token is 2 s old and refused; a mint is allowed again in 30 s."""
    account = minted(empty("e", (A0,), 0.0), A0, NOW - 2, Cause.REFUSAL)
    account = replace(account, fresh=3, holdoff=Holdoff(1, NOW - 1, NOW + 30))
    return Chart(account, NOW)


def tokenless() -> Chart:
    """Zoom refuses the credentials since 60 s."""
    error = MintError(MintFailure.INVALID_CLIENT, "Zoom does not know this client.")
    account, _ = failed(empty("e", (A0,), NOW), Mint(A0, Cause.START), error, 0.0, NOW)
    told = MintFailed(A0, Cause.START, error.failure, str(error), 60.0)
    return Chart(account, NOW, mint_failed=(NOW - 60, told))


def troubled() -> Chart:
    """Calls succeed, but nearly everything that may be wrong beside that is."""
    account = minted(empty("e", (A0, A1, SlotId("second", 0)), 0.0), A0, NOW - 3000)
    account = accepted(minted(account, A1, NOW - 900, Cause.REFUSAL))
    account = replace(account, slots=machine.refuse(account.slots, 1))
    account, _ = relate(account, A0, A1, alive=False)
    barred = MintError(MintFailure.INVALID_INDEX, "token_index is out of range")
    account, _ = failed(account, Mint(SlotId("second", 0), Cause.ROTATION), barred, 0.0, NOW)
    account = replace(
        account,
        suspects=MappingProxyType({"GET /v2/users/{userId}": NOW + 500, "GET #0": NOW - 1}),
        budget=replace(account.budget.drawn(NOW), level=117.0),
    )
    told = MintFailed(A0, Cause.ROTATION, MintFailure.SERVER_ERROR, "Zoom answers 503", 8.0)
    return Chart(
        account,
        NOW,
        mint_failed=(NOW - 30, told),
        foreign_mint=(NOW - 900, 3),
        previous_secret=True,
        store_problem="the directory is read-only",
    )


def fleet() -> Sighting:
    """Two replicas: the one that answers and another, of a later version and without a token."""
    return Sighting(
        (
            Presence("gw-1", "1.2.3", "10.0.0.1:8080", WALL - 60, {"default": 5}, 0.0),
            Presence("gw-2", "1.2.4", "10.0.0.2:8080", WALL - 30, {"default": 0}, 4.0),
        ),
        1.5,
    )
