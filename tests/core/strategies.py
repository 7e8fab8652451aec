"""What the tests of the token core share: builders, Hypothesis strategies, a tolerant comparison.

Moments are multiples of a quarter of a second, which survive any shift of the clock.
"""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from hypothesis import strategies as st

from gateway.core.account import Account, accepted, advance, empty
from gateway.core.course import Course, Mint, Publication, publish
from gateway.core.errors import MintError, MintFailure
from gateway.core.secret import Secret
from gateway.core.token import Cause, Grant, SlotId, Token

A0 = SlotId("a", 0)
A1 = SlotId("a", 1)
A2 = SlotId("a", 2)
B0 = SlotId("b", 0)

LIFE = 3600.0


def a_token(generation: int = 1, slot: SlotId = A0, at: float = 0.0, life: float = LIFE) -> Token:
    return Token(
        Secret(f"value-{generation}"), slot, generation, at, at + life, Cause.START, "replica"
    )


def an_account(*slots: SlotId) -> Account:
    return empty("epoch", slots or (A0,), 0.0)


def minted(
    account: Account,
    slot: SlotId = A0,
    at: float = 0.0,
    *,
    cause: Cause = Cause.START,
    life: float = LIFE,
    course: Course | None = None,
    seen_accepted: bool = False,
) -> Account:
    """The account after a mint in `slot`; `seen_accepted`: and a call with its token."""
    grant = Grant(Secret(f"value-{account.generation + 1}"), life)
    news = Publication(grant, slot, cause, "replica", at)
    account, _ = publish(account, news, course or Course(), at)
    if seen_accepted:
        account, _ = accepted(account, account.generation, "GET /good", (), at)
    return advance(account, at)


def mint_error(failure: MintFailure, retry_after: float | None = None) -> MintError:
    return MintError(failure, f"Zoom says {failure.value}", retry_after)


def a_mint(slot: SlotId = A0, cause: Cause = Cause.ROTATION) -> Mint:
    return Mint(slot, cause)


quarters = st.integers(0, 4 * 4000).map(lambda n: n / 4)
"""Seconds, from none to a little more than a token's usual life."""

short_waits = st.integers(0, 4 * 90).map(lambda n: n / 4)

lifetimes = st.sampled_from([3.0, 60.0, 1200.0, LIFE])

jitters = st.sampled_from([0.0, 0.25, 0.5, 0.75])

slot_lists = st.lists(
    st.builds(SlotId, st.sampled_from(["a", "b"]), st.integers(0, 2)),
    min_size=1,
    max_size=4,
    unique=True,
).map(tuple)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["active", "spare", "empty", "set aside", "start", "a", "1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)
"""What Python's JSON reader can bring up, infinities and numbers beyond a float included."""


def alike(one: Any, other: Any) -> bool:
    """Equal, but for what a float loses when it is shifted there and back."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, abs_tol=1e-6)
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(alike(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)
