"""Each proof of a token's death is news once, and an older one again."""

from gateway.core.secret import Secret
from gateway.tokens.proofs import Proofs

NEWEST, OTHER = Secret("newest"), Secret("other")


def test_a_later_refusal_of_the_same_token_is_no_news() -> None:
    proofs = Proofs()
    assert proofs.news("epoch", NEWEST, ((1, 10.0),)) == ((1, 10.0),)
    assert proofs.news("epoch", NEWEST, ((1, 10.0),)) == ()
    assert proofs.news("epoch", NEWEST, ((1, 11.0),)) == ()
    assert proofs.news("epoch", NEWEST, ()) == ()


def test_an_earlier_refusal_and_one_of_another_token_are() -> None:
    proofs = Proofs()
    proofs.news("epoch", NEWEST, ((1, 10.0),))
    assert proofs.news("epoch", NEWEST, ((1, 9.0), (2, 12.0))) == ((1, 9.0), (2, 12.0))
    assert proofs.news("epoch", NEWEST, ((1, 9.5), (2, 11.0))) == ((2, 11.0),)


def test_what_another_token_or_document_proved_counts_for_neither() -> None:
    proofs = Proofs()
    proofs.news("epoch", NEWEST, ((1, 10.0),))
    assert proofs.news("epoch", OTHER, ((1, 10.0),)) == ((1, 10.0),)
    assert proofs.news("another", OTHER, ((1, 10.0),)) == ((1, 10.0),)
