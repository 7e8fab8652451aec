"""Which of two copies of a document knows more."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.account import Account
from gateway.core.history import DOUBT, behind, generation_of, holds, newest
from gateway.core.secret import Secret
from gateway.core.slots import Phase, Slot
from tests.core.strategies import A0, A1, a_token, an_account, minted


def holding(generation: int, at: float, value: str = "", *, epoch: str = "epoch") -> Account:
    """A document with the token of that generation, minted at `at`."""
    token = replace(a_token(generation, A0, at), value=Secret(value or f"value-{generation}"))
    held = (Slot(A0, Phase.ACTIVE, token),)
    return replace(an_account(), epoch=epoch, slots=held, generation=generation)


def without_token(account: Account, *, epoch: str = "epoch") -> Account:
    return replace(account, epoch=epoch, slots=(Slot(A0),))


def test_the_newest_token_is_that_of_the_highest_generation() -> None:
    account = minted(minted(an_account(A0, A1), A0), A1)
    found = newest(account)
    assert found is not None
    assert (found.generation, found.slot) == (2, A1)
    assert newest(an_account()) is None


def test_a_token_is_found_by_its_value_in_whatever_phase() -> None:
    account = minted(minted(an_account(A0, A1), A0), A1)
    assert holds(account, Secret("value-1"))
    assert not holds(account, Secret("value-3"))


class TestTheNameOfAToken:
    def test_is_its_generation(self) -> None:
        account = minted(minted(an_account(A0, A1), A0), A1)
        assert generation_of(account, a_token(1)) == 1

    def test_is_another_one_if_it_was_published_under_that(self) -> None:
        assert generation_of(holding(5, 0.0, "value-2"), a_token(2)) == 5

    def test_stays_when_the_token_is_gone(self) -> None:
        assert generation_of(holding(5, 0.0), a_token(4)) == 4

    def test_is_nobodys_if_another_token_has_it(self) -> None:
        assert generation_of(holding(2, 0.0, "another"), a_token(2)) == 0


class TestWithNothingInHand:
    @pytest.mark.parametrize("rewound", [True, False])
    def test_the_store_is_never_behind(self, *, rewound: bool) -> None:
        for found in (an_account(), holding(1, 0.0), holding(1, 0.0, epoch="other")):
            assert not behind(found, an_account(), rewound=rewound)


class TestInTheSameEpoch:
    def test_a_higher_generation_is_newer(self) -> None:
        assert not behind(holding(3, 0.0), holding(2, 100.0), rewound=True)

    def test_a_lower_one_lost_a_mint(self) -> None:
        assert behind(holding(1, 0.0), holding(2, 10.0), rewound=True)
        assert behind(holding(1, 0.0), holding(2, 0.25), rewound=True)

    def test_a_lower_one_without_a_token_lost_it_too(self) -> None:
        assert behind(an_account(), holding(1, 10.0), rewound=True)

    def test_the_same_is_behind_only_if_writes_were_lost(self) -> None:
        same = holding(2, 10.0)
        assert behind(same, same, rewound=True)
        assert not behind(same, same, rewound=False)

    def test_what_expired_meanwhile_is_no_loss(self) -> None:
        assert not behind(without_token(holding(2, 10.0)), holding(2, 10.0), rewound=False)

    def test_a_token_that_was_minted_in_place_of_a_lost_one_stays_if_it_is_younger(self) -> None:
        ours, theirs = holding(2, 10.0, "ours"), holding(2, 30.0, "theirs")
        for rewound in (True, False):
            assert not behind(theirs, ours, rewound=rewound)
            assert behind(ours, theirs, rewound=rewound)

    def test_a_token_of_a_lower_generation_may_still_be_the_younger_one(self) -> None:
        assert not behind(holding(2, 30.0, "theirs"), holding(3, 10.0), rewound=True)


class TestInAnotherEpoch:
    def test_an_empty_document_is_behind(self) -> None:
        found = replace(an_account(), epoch="other")
        assert behind(found, holding(1, 0.0), rewound=False)

    def test_one_whose_tokens_expired_is_not_behind_one_with_a_lower_generation(self) -> None:
        found = without_token(holding(50, 0.0), epoch="other")
        assert not behind(found, holding(40, 0.0), rewound=False)

    def test_the_same_token_put_back_by_another_is_no_loss(self) -> None:
        assert not behind(
            holding(5, 1.5, "same", epoch="other"), holding(5, 0.0, "same"), rewound=True
        )

    def test_the_token_that_was_minted_later_wins(self) -> None:
        old, new = holding(9, 10.0), holding(3, 20.0, epoch="other")
        assert behind(old, new, rewound=False)
        assert not behind(new, old, rewound=False)

    def test_a_higher_generation_needs_no_margin(self) -> None:
        assert behind(holding(1, 10.0, epoch="other"), holding(2, 10.25), rewound=False)


@given(
    generations=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    moments=st.tuples(st.floats(0, 5), st.floats(0, 5)),
    error=st.floats(-DOUBT * 0.99, DOUBT * 0.99),
    epochs=st.sampled_from([("a", "a"), ("a", "b")]),
)
def test_two_replicas_never_each_take_their_own_copy_for_the_newer_one(
    generations: tuple[int, int],
    moments: tuple[float, float],
    error: float,
    epochs: tuple[str, str],
) -> None:
    """Neither if their clocks disagree by up to a second about the other's token."""
    one = holding(generations[0], moments[0], "one", epoch=epochs[0])
    other = holding(generations[1], moments[1], "other", epoch=epochs[1])
    other_seen = holding(generations[1], moments[1] + error, "other", epoch=epochs[1])
    assert not (behind(other_seen, one, rewound=False) and behind(one, other, rewound=False))
