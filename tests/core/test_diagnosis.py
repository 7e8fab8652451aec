"""What is wrong with an account, in sentences."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from gateway.core.account import Account, Holdoff
from gateway.core.course import relate
from gateway.core.diagnosis import (
    LACKS_SHOWN,
    Chart,
    Diagnosis,
    Severity,
    diagnose,
    ended,
    holdoff_sentence,
)
from gateway.core.errors import NEEDS_OPERATOR, MintFailure
from gateway.core.events import MintFailed
from gateway.core.lacks import Lack
from gateway.core.rate_use import HOUR, RECENT, Errors
from gateway.core.slots import Slot, promote, refuse
from gateway.core.token import Cause
from tests.core.strategies import A0, A1, an_account, minted


def chart(account: Account | None = None, now: float = 100.0, **changes: Any) -> Chart:
    account = minted(an_account(), seen_accepted=True) if account is None else account
    return Chart(account, now, **changes)


def failure(kind: MintFailure) -> MintFailed:
    return MintFailed(A0, Cause.EXPIRY, kind, f"Zoom says {kind.value}.", 60.0)


def only(found: list[Diagnosis]) -> Diagnosis:
    assert len(found) == 1
    return found[0]


def test_a_healthy_account_has_none() -> None:
    assert diagnose(chart()) == []


class TestNoToken:
    def test_before_the_first_mint(self) -> None:
        found = only(diagnose(chart(an_account())))
        assert (found.code, found.severity) == ("no_token", Severity.ERROR)
        assert found.sentence == "There is no token yet."

    def test_before_the_first_mint_without_a_store(self) -> None:
        found = diagnose(chart(an_account(), store_problem="it does not answer"))
        assert [one.code for one in found] == ["no_token", "store_down"]
        assert "the store, which lends the right to mint" in found[0].sentence
        assert "store.on_outage" in found[0].advice

    def test_after_the_last_one_ran_out(self) -> None:
        account = replace(an_account(), generation=7)
        assert only(diagnose(chart(account))).sentence == "There is no usable token."

    def test_while_another_replicas_mints_fail(self) -> None:
        account = replace(an_account(A0, A1), slots=(Slot(A0, failures=2), Slot(A1, barred="no")))
        found = diagnose(chart(account))[0]
        assert (found.code, found.severity) == ("no_token", Severity.ERROR)
        assert found.sentence == "There is no usable token, and the mints of another replica fail."
        assert "the other replicas" in found.advice

    def test_while_mints_fail_zooms_words_are_passed_on(self) -> None:
        news = (40.0, failure(MintFailure.SERVER_ERROR))
        found = only(diagnose(chart(an_account(), mint_failed=news)))
        assert (found.code, found.since) == ("no_token", 40.0)
        assert found.sentence == (
            "There is no usable token, and none can be minted: Zoom says server_error."
        )

    def test_a_token_in_its_margin_is_none(self) -> None:
        assert only(diagnose(chart(now=3540.0))).code == "no_token"
        assert [one.code for one in diagnose(chart(now=3539.75))] == ["rotation_overdue"]

    @pytest.mark.parametrize("kind", MintFailure)
    def test_the_advice_says_whose_turn_it_is(self, kind: MintFailure) -> None:
        found = only(diagnose(chart(an_account(), mint_failed=(40.0, failure(kind)))))
        operators = {*NEEDS_OPERATOR, MintFailure.INVALID_INDEX}
        assert ("It is tried again by itself." in found.advice) is (kind not in operators)
        assert found.cause == kind.value

    def test_each_reason_has_an_advice_of_its_own(self) -> None:
        advices = {
            only(diagnose(chart(an_account(), mint_failed=(40.0, failure(kind))))).advice
            for kind in MintFailure
        }
        assert len(advices) == len(MintFailure)

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            (MintFailure.INVALID_CLIENT, "client_id and client_secret"),
            (MintFailure.INVALID_ACCOUNT, "Correct account_id, or activate the app"),
            (MintFailure.CONNECTION, "network, DNS, firewall"),
            (MintFailure.SERVER_ERROR, "Zoom is in trouble"),
            (MintFailure.RATE_LIMITED, "other programs that mint with this app"),
        ],
    )
    def test_the_advice_names_the_thing_to_correct(self, kind: MintFailure, words: str) -> None:
        found = diagnose(chart(an_account(), mint_failed=(40.0, failure(kind))))
        assert words in only(found).advice


def test_while_mints_fail_and_a_token_is_left_it_says_for_how_long() -> None:
    news = (40.0, failure(MintFailure.TIMEOUT))
    found = only(diagnose(chart(mint_failed=news)))
    assert (found.code, found.severity, found.since) == ("mint_failing", Severity.WARNING, 40.0)
    assert found.sentence == (
        "Mints fail; the token in use is good for another 3440 s: Zoom says timeout."
    )


def test_while_another_replicas_mints_fail_and_a_token_is_left() -> None:
    account = minted(an_account(A0, A1))
    one, other = (replace(slot, failures=1) for slot in account.slots)
    found = only(diagnose(chart(replace(account, slots=(one, other)))))
    assert (found.code, found.severity, found.since) == ("mint_failing", Severity.WARNING, None)
    assert found.sentence == (
        "The mints of another replica fail; the token in use is good for another 3440 s."
    )
    # One slot still grants tokens.
    assert diagnose(chart(replace(account, slots=(replace(one, failures=0), other)))) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Zoom is down", "Zoom is down."),
        ("Zoom is down.", "Zoom is down."),
        ('Zoom says: "no"', 'Zoom says: "no".'),
        ('Zoom says: "No."', 'Zoom says: "No."'),
        ("Zoom?!", "Zoom?!"),
    ],
)
def test_what_others_say_ends_as_a_sentence(text: str, sentence: str) -> None:
    assert ended(text) == sentence


class TestARotationThatDoesNotCome:
    """One slot: it is due at 3240 s, and the token is given away until 3540 s."""

    def test_is_told_a_minute_after_it_was_due(self) -> None:
        assert diagnose(chart(now=3300.0)) == []
        found = only(diagnose(chart(now=3301.0)))
        assert (found.code, found.severity) == ("rotation_overdue", Severity.WARNING)
        assert found.since == 3240.0
        assert found.sentence == (
            "The token in use was to be replaced 61 s ago, and was not; it is good for another "
            "239 s."
        )

    def test_is_told_sooner_of_a_short_life(self) -> None:
        account = minted(an_account(A0, A1), life=20.0)
        assert diagnose(chart(account, 12.0)) == []
        assert only(diagnose(chart(account, 12.25))).code == "rotation_overdue"

    def test_is_no_news_beside_mints_that_fail(self) -> None:
        news = (3250.0, failure(MintFailure.TIMEOUT))
        assert only(diagnose(chart(now=3400.0, mint_failed=news))).code == "mint_failing"

    def test_is_told_with_the_store_that_is_why(self) -> None:
        found = only(diagnose(chart(now=3400.0, store_problem="it does not answer.")))
        assert found.sentence == (
            "The token store cannot be used: it does not answer. The token in use was not "
            "replaced when it was due; it is good for another 140 s."
        )

    def test_is_not_asked_of_a_token_that_stands_in(self) -> None:
        account = minted(minted(an_account(A0, A1)), A1, 10.0)
        account = replace(account, slots=promote(refuse(account.slots, 2), A0))
        assert diagnose(chart(account, 3000.0)) == []


class TestFreshTokensRefused:
    def test_the_sentence_is_the_one_that_is_promised(self) -> None:
        assert holdoff_sentence(2.2) == (
            "Zoom refuses a token it issued 2 s ago: the app is deactivated, its owner's role "
            "changed, or another program mints with the same credentials."
        )

    def test_counts_from_the_issue_of_the_token_in_use(self) -> None:
        account = replace(minted(an_account(), at=90.0), holdoff=Holdoff(1, 95.0, 99.0))
        found = only(diagnose(chart(account)))
        assert (found.code, found.severity) == ("fresh_refused", Severity.ERROR)
        assert (found.sentence, found.since) == (holdoff_sentence(10.0), 95.0)

    def test_counts_from_the_hold_off_if_there_is_no_token(self) -> None:
        account = replace(an_account(), holdoff=Holdoff(1, 95.0, 99.0))
        found = diagnose(chart(account))
        assert [one.code for one in found] == ["no_token", "fresh_refused"]
        assert found[1].sentence == holdoff_sentence(5.0)


def test_a_foreign_mint_is_told_with_its_number_and_age() -> None:
    found = only(diagnose(chart(foreign_mint=(70.0, 3))))
    assert (found.code, found.severity, found.since) == ("foreign_mint", Severity.WARNING, 70.0)
    assert found.sentence == (
        "Another program mints with these credentials: it killed 3 of our tokens, the last one "
        "30 s ago."
    )


def test_a_previous_secret_in_use_is_told() -> None:
    found = only(diagnose(chart(previous_secret=True)))
    assert (found.code, found.severity) == ("previous_secret", Severity.WARNING)


def test_a_store_that_is_down_is_told_in_its_own_words() -> None:
    found = only(diagnose(chart(store_problem="redis does not answer", store_since=60.0)))
    assert found.since == 60.0
    assert (found.code, found.severity) == ("store_down", Severity.WARNING)
    assert found.sentence == "The token store cannot be used: redis does not answer."


def test_a_slot_that_is_out_is_told_in_zooms_words() -> None:
    account = minted(an_account(A0, A1))
    account = replace(account, slots=(account.slots[0], Slot(A1, barred="Index out of range.")))
    found = only(diagnose(chart(account)))
    assert (found.code, found.severity) == ("slot_out", Severity.WARNING)
    assert found.sentence == "Slot a/1 is out: Index out of range."


def test_linked_slots_are_told_and_slots_apart_are_not() -> None:
    account, _ = relate(minted(an_account(A0, A1)), A1, A0, alive=False)
    found = only(diagnose(chart(account)))
    assert found.code == "slots_linked"
    assert "slots a/0 and a/1 kills the token of the other" in found.sentence
    account, _ = relate(account, A1, A0, alive=True)
    assert diagnose(chart(account)) == []


def test_a_suspected_endpoint_is_a_notice_while_it_is_suspected() -> None:
    suspects = MappingProxyType({"GET /y": 200.0, "GET /x": 150.0})
    account = replace(minted(an_account()), suspects=suspects)
    found = diagnose(chart(account))
    assert [one.sentence for one in found] == [
        "GET /x refuses a token that is alive.",
        "GET /y refuses a token that is alive.",
    ]
    assert {one.severity for one in found} == {Severity.NOTICE}
    assert len(diagnose(chart(account, 150.0))) == 1


@pytest.mark.parametrize(("minutes", "span"), [(HOUR, "hour"), (RECENT, "10 minutes")])
def test_a_high_error_ratio_is_a_warning(minutes: int, span: str) -> None:
    found = only(diagnose(chart(errors=Errors(minutes, 200, 61))))
    assert (found.code, found.severity) == ("error_ratio_high", Severity.WARNING)
    assert found.sentence == (
        f"Zoom answered 61 of 200 requests of the last {span} with errors (30 %)."
    )


def test_operations_without_their_scope_are_notices() -> None:
    def lack(number: int, *scopes: str) -> Lack:
        return Lack("GET", f"/v2/{number}", scopes, 90.0 + number, 99.0, 1, 1, 90.0)

    account = minted(an_account())
    found = diagnose(chart(account, lacks=(lack(1, "a:b", "a:b:admin"), lack(0))))
    assert [one.sentence for one in found] == [
        "Zoom refuses GET /v2/1: the token lacks the scope a:b:admin.",
        "Zoom refuses GET /v2/0: the token lacks a scope that Zoom does not name.",
    ]
    assert [(one.code, one.severity, one.since) for one in found] == [
        ("scope_missing", Severity.NOTICE, 91.0),
        ("scope_missing", Severity.NOTICE, 90.0),
    ]
    assert "Add the scope a:b:admin to the app" in found[0].advice
    found = diagnose(chart(account, lacks=tuple(map(lack, range(LACKS_SHOWN + 2)))))
    assert len(found) == LACKS_SHOWN + 1
    assert found[-1].sentence.startswith("2 more operations are refused")


def test_the_worst_comes_first() -> None:
    account = replace(
        an_account(A0, A1),
        slots=(Slot(A0), Slot(A1, barred="no")),
        suspects=MappingProxyType({"GET /x": 150.0}),
        holdoff=Holdoff(1, 95.0, 99.0),
    )
    found = diagnose(chart(account, foreign_mint=(70.0, 3), store_problem="down"))
    assert [one.code for one in found] == [
        "no_token",
        "fresh_refused",
        "foreign_mint",
        "store_down",
        "slot_out",
        "endpoint_refuses",
    ]
