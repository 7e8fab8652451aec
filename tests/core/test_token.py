"""Tokens and the time for which each may be given away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.secret import Secret
from gateway.core.token import Grant, SlotId
from tests.core.strategies import A0, A1, B0, a_token


class TestMargin:
    @pytest.mark.parametrize(
        ("life", "margin"), [(3600.0, 60.0), (1200.0, 60.0), (600.0, 30.0), (60.0, 3.0), (4.0, 0.2)]
    )
    def test_is_a_minute_or_a_twentieth_of_the_life_whichever_is_shorter(
        self, life: float, margin: float
    ) -> None:
        token = a_token(at=1000.0, life=life)
        assert token.usable_until == pytest.approx(1000.0 + life - margin)

    def test_a_token_is_usable_until_its_margin_begins(self) -> None:
        token = a_token(at=1000.0)
        assert token.usable(4539.75)
        assert not token.usable(4540.0)

    @given(st.floats(0.1, 1e6), st.floats(0.0, 1e9))
    def test_every_life_has_a_usable_part_and_an_end(self, life: float, at: float) -> None:
        token = a_token(at=at, life=life)
        assert token.usable(at)
        assert token.usable_until <= token.expires_at


def test_the_lifetime_is_what_lies_between_issue_and_expiry() -> None:
    assert a_token(at=1000.0, life=90.0).lifetime == 90.0


def test_a_slot_reads_as_app_and_index() -> None:
    assert str(SlotId("billing", 2)) == "billing/2"


def test_slots_are_ordered_by_app_then_index() -> None:
    assert sorted([B0, A1, A0]) == [A0, A1, B0]


def test_a_token_shows_its_generation_and_slot_but_not_its_value() -> None:
    token = a_token(7, A1)
    assert repr(token) == "<Token 7 of a/1, not seen accepted>"


def test_a_token_shows_that_it_was_accepted() -> None:
    token = a_token(7)
    seen = type(token)(
        token.value,
        token.slot,
        token.generation,
        token.issued_at,
        token.expires_at,
        token.cause,
        token.minter,
        accepted_at=5.0,
    )
    assert repr(seen) == "<Token 7 of a/0, accepted>"


def test_a_grant_does_not_show_its_value() -> None:
    assert "canary" not in repr(Grant(Secret("canary"), 3600.0))
