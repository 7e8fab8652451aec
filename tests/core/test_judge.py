"""Whose fault is a refusal: each rule, in its order, and its edges."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from gateway.core import slots as machine
from gateway.core.account import (
    SUSPICION,
    VERDICT_TIME,
    Account,
    Due,
    Holdoff,
    Incident,
    Minting,
    accepted,
    advance,
    token_phase,
)
from gateway.core.course import request
from gateway.core.events import (
    EndpointSuspected,
    ForeignMint,
    HoldoffBegan,
    HoldoffEnded,
    RefusalCause,
    Refused,
    Switched,
)
from gateway.core.judge import Finding, Judgement, Refusal, Ruling, judge, suspect, vindicate
from gateway.core.slots import Phase
from gateway.core.token import Cause
from tests.core.strategies import A0, A1, B0, an_account, minted

X = "GET /x"


def refused(generation: int, cause: RefusalCause) -> Refused:
    return Refused(generation, X, cause)


def one_accepted_token() -> Account:
    return minted(an_account(), seen_accepted=True)


def one_fresh_token() -> Account:
    return minted(an_account())


def two_accepted_tokens() -> Account:
    """The second is active, in slot 1, the first its spare."""
    account = minted(an_account(A0, A1), seen_accepted=True)
    return minted(account, A1, 1800.0, seen_accepted=True)


def having(account: Account, **changes: Any) -> Account:
    return replace(account, **changes)


def on_trial(account: Account, generation: int) -> Account:
    return having(account, trials=MappingProxyType({X: generation}))


def suspected(account: Account, until: float) -> Account:
    return having(account, suspects=MappingProxyType({X: until}))


class TestATokenThatIsNotTheActiveOne:
    """Rule 1."""

    def test_is_answered_with_the_active_one_and_no_mint(self) -> None:
        account = minted(minted(an_account()), at=10.0)
        judgement = judge(account, Refusal(1, X), 11.0)
        assert judgement == Judgement(account, Ruling.RETRY, (refused(1, RefusalCause.SUPERSEDED),))

    def test_waits_if_there_is_no_active_one(self) -> None:
        account = judge(one_accepted_token(), Refusal(1, X), 10.0).account
        judgement = judge(account, Refusal(1, "GET /y"), 11.0)
        assert judgement.ruling is Ruling.WAIT
        assert judgement.account == account

    def test_is_no_spare_any_more(self) -> None:
        account = two_accepted_tokens()
        judgement = judge(account, Refusal(1, X), 1801.0)
        assert judgement.ruling is Ruling.RETRY
        assert judgement.account == having(account, slots=machine.refuse(account.slots, 1))
        assert token_phase(judgement.account, 1) is Phase.ASIDE

    def test_stays_the_spare_if_the_endpoint_is_suspected(self) -> None:
        account = suspected(two_accepted_tokens(), 1900.0)
        assert judge(account, Refusal(1, X), 1899.75).account == account
        assert token_phase(judge(account, Refusal(1, X), 1900.0).account, 1) is Phase.ASIDE

    def test_stays_the_spare_if_the_endpoint_is_on_trial_for_that_token(self) -> None:
        account = on_trial(two_accepted_tokens(), 1)
        assert judge(account, Refusal(1, X), 1801.0).account == account
        other = on_trial(two_accepted_tokens(), 2)
        assert token_phase(judge(other, Refusal(1, X), 1801.0).account, 1) is Phase.ASIDE

    def test_stays_the_spare_if_a_probe_has_just_found_it_alive(self) -> None:
        account = two_accepted_tokens()
        refusal = Refusal(1, X, second=True, finding=Finding.ALIVE)
        assert token_phase(judge(account, refusal, 1801.0).account, 1) is Phase.SPARE

    def test_is_not_probed_even_when_it_is_the_calls_second_refusal(self) -> None:
        account = on_trial(minted(minted(an_account())), 1)
        assert judge(account, Refusal(1, X, second=True), 1.0).ruling is Ruling.RETRY


class TestDuringAHoldOff:
    """Rule 2."""

    HELD = Holdoff(1, since=10.0, until=14.0)

    def test_zooms_answer_is_passed_on_and_nothing_changes(self) -> None:
        account = having(one_fresh_token(), fresh=2, holdoff=self.HELD)
        judgement = judge(account, Refusal(1, X), 13.75)
        assert judgement == Judgement(account, Ruling.PASS, (refused(1, RefusalCause.HOLDOFF),))

    def test_whatever_the_tokens_generation_and_age(self) -> None:
        account = having(minted(an_account(), at=13.0), fresh=2, holdoff=Holdoff(0, 10.0, 14.0))
        assert judge(account, Refusal(1, X), 13.75).ruling is Ruling.PASS

    def test_no_probe_is_asked_for(self) -> None:
        account = on_trial(having(one_fresh_token(), fresh=2, holdoff=self.HELD), 1)
        assert judge(account, Refusal(1, X, second=True), 13.75).ruling is Ruling.PASS

    def test_at_its_end_a_refusal_may_mint_again(self) -> None:
        account = having(one_fresh_token(), fresh=2, holdoff=self.HELD)
        assert judge(account, Refusal(1, X), 14.0).ruling is Ruling.WAIT

    def test_a_token_that_was_accepted_is_judged_as_ever(self) -> None:
        account = having(one_accepted_token(), fresh=2, holdoff=self.HELD)
        assert judge(account, Refusal(1, X), 11.0).ruling is Ruling.WAIT

    def test_acceptance_of_the_newest_token_ends_it(self) -> None:
        account = having(one_fresh_token(), fresh=2, holdoff=self.HELD)
        account, events = accepted(account, 1, X, (), 12.0)
        assert events == (HoldoffEnded(1),)
        assert judge(account, Refusal(1, X), 12.5).ruling is Ruling.WAIT

    def test_acceptance_of_an_older_token_does_not(self) -> None:
        account = minted(minted(an_account(A0, A1)), A1, 9.0)
        account = having(account, fresh=2, holdoff=Holdoff(2, 10.0, 14.0))
        account, events = accepted(account, 1, X, (), 12.0)
        assert events == ()
        assert judge(account, Refusal(2, X), 12.5).ruling is Ruling.PASS


class TestInDoubtAProbeIsAsked:
    """Rule 3."""

    def test_if_the_endpoint_is_on_trial_for_this_token(self) -> None:
        account = on_trial(one_fresh_token(), 1)
        asked = replace(account, asked=MappingProxyType({X: 1.0 + VERDICT_TIME}))
        assert judge(account, Refusal(1, X), 1.0) == Judgement(asked, Ruling.PROBE)

    def test_a_question_that_was_asked_just_now_changes_nothing(self) -> None:
        account = replace(on_trial(one_fresh_token(), 1), asked=MappingProxyType({X: 2.5}))
        assert judge(account, Refusal(1, X), 1.0) == Judgement(account, Ruling.PROBE)

    def test_a_suspicion_that_would_hardly_grow_stays_as_it_is(self) -> None:
        account, _ = suspect(one_accepted_token(), 1, X, 1.0)
        assert suspect(account, 1, X, 5.0) == (account, ())
        later, _ = suspect(account, 1, X, 7.0)
        assert dict(later.suspects) == {X: 607.0}

    def test_if_a_verdict_on_the_endpoint_is_awaited(self) -> None:
        account = replace(one_fresh_token(), asked=MappingProxyType({X: 3.0}))
        assert judge(account, Refusal(1, X), 2.75).ruling is Ruling.PROBE
        assert judge(account, Refusal(1, X), 3.0).ruling is Ruling.WAIT

    def test_not_if_it_was_on_trial_for_another(self) -> None:
        assert judge(on_trial(one_fresh_token(), 7), Refusal(1, X), 1.0).ruling is Ruling.WAIT

    def test_not_if_another_endpoint_is_on_trial(self) -> None:
        account = on_trial(one_fresh_token(), 1)
        assert judge(account, Refusal(1, "GET /y"), 1.0).ruling is Ruling.WAIT

    def test_if_the_endpoint_is_suspected_for_ten_minutes(self) -> None:
        account = suspected(one_accepted_token(), 600.0)
        assert judge(account, Refusal(1, X), 599.75).ruling is Ruling.PROBE
        assert judge(account, Refusal(1, X), 600.0).ruling is Ruling.WAIT

    def test_if_the_call_was_refused_before(self) -> None:
        account = one_accepted_token()
        assert judge(account, Refusal(1, X, second=True), 1.0).ruling is Ruling.PROBE

    def test_without_a_verdict_the_answer_is_passed_on_and_nothing_changes(self) -> None:
        account = one_accepted_token()
        refusal = Refusal(1, X, second=True, finding=Finding.UNDECIDED)
        assert judge(account, refusal, 1.0) == Judgement(
            account, Ruling.PASS, (refused(1, RefusalCause.UNDECIDED),)
        )

    def test_a_dead_token_is_set_aside(self) -> None:
        refusal = Refusal(1, X, second=True, finding=Finding.DEAD)
        judgement = judge(one_accepted_token(), refusal, 1.0)
        assert judgement.ruling is Ruling.WAIT
        assert token_phase(judgement.account, 1) is Phase.ASIDE
        assert judgement.account.incident == Incident(1, A0, X, explained=False)


class TestALivingToken:
    """Rule 3, when the probe finds the endpoint at fault."""

    ALIVE = Refusal(1, X, second=True, finding=Finding.ALIVE)

    def test_is_kept_and_the_answer_passed_on(self) -> None:
        judgement = judge(one_accepted_token(), self.ALIVE, 5.0)
        assert judgement.ruling is Ruling.PASS
        assert judgement.account.active == one_accepted_token().active
        assert judgement.account.due is None

    def test_makes_its_endpoint_suspected_for_ten_minutes_and_tells_once(self) -> None:
        judgement = judge(one_accepted_token(), self.ALIVE, 5.0)
        assert dict(judgement.account.suspects) == {X: 5.0 + SUSPICION}
        assert judgement.events == (
            refused(1, RefusalCause.ENDPOINT),
            EndpointSuspected(X, SUSPICION),
        )
        again = judge(judgement.account, self.ALIVE, 105.0)
        assert dict(again.account.suspects) == {X: 105.0 + SUSPICION}
        assert again.events == (refused(1, RefusalCause.ENDPOINT),)

    def test_is_told_again_once_the_suspicion_has_passed(self) -> None:
        account = advance(judge(one_accepted_token(), self.ALIVE, 5.0).account, 605.0)
        assert EndpointSuspected(X, SUSPICION) in judge(account, self.ALIVE, 605.0).events

    def test_leaves_other_suspicions_alone(self) -> None:
        account = having(one_accepted_token(), suspects=MappingProxyType({"GET /y": 9.0}))
        after = judge(account, self.ALIVE, 5.0).account
        assert dict(after.suspects) == {"GET /y": 9.0, X: 605.0}

    def test_counts_as_accepted_so_the_row_of_fresh_refusals_ends(self) -> None:
        account = having(one_fresh_token(), fresh=2, holdoff=Holdoff(1, 0.0, 4.0))
        judgement = judge(account, self.ALIVE, 5.0)
        assert judgement.account.active is not None
        assert judgement.account.active.accepted_at == 5.0
        assert (judgement.account.fresh, judgement.account.holdoff) == (0, None)
        assert HoldoffEnded(1) in judgement.events

    def test_clears_a_death_that_the_same_endpoint_only_claimed(self) -> None:
        incident = Incident(0, A0, X, explained=False)
        after = judge(having(one_accepted_token(), incident=incident), self.ALIVE, 5.0).account
        assert after.incident is None

    @pytest.mark.parametrize(
        "incident",
        [
            Incident(1, A0, "GET /y", explained=False),
            Incident(1, A0, X, explained=False, confirmed=True),
        ],
    )
    def test_clears_no_death_of_another_endpoint_nor_a_proved_one(self, incident: Incident) -> None:
        after = judge(having(one_accepted_token(), incident=incident), self.ALIVE, 5.0).account
        assert after.incident == incident


class TestFreshRefusals:
    """Rule 4."""

    @staticmethod
    def refuse_for_ever(jitter: float) -> tuple[list[float], Account, float]:
        """The waits before each mint while every token is refused as soon as it is minted."""
        account, now, waits = one_fresh_token(), 0.0, []
        for turn in range(9):
            generation, since = account.generation, now
            # Each time another endpoint: one alone would be on trial, and probed.
            refusal = Refusal(generation, f"GET /{turn}", jitter=jitter)
            judgement = judge(account, refusal, now)
            if judgement.ruling is Ruling.PASS:
                held = judgement.account.holdoff
                assert held is not None
                early = judge(judgement.account, refusal, held.until - 0.001)
                assert early.ruling is Ruling.PASS
                assert early.account == judgement.account
                now = held.until
                judgement = judge(judgement.account, refusal, now)
            assert judgement.ruling is Ruling.WAIT
            waits.append(now - since)
            account = minted(judgement.account, at=now)
        return waits, account, now

    def test_two_mint_at_once_then_the_waits_grow_to_a_minute(self) -> None:
        waits, _, _ = self.refuse_for_ever(0.0)
        assert waits == [0.0, 0.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]

    def test_chance_adds_up_to_a_fifth_and_never_takes_away(self) -> None:
        waits, _, _ = self.refuse_for_ever(0.5)
        assert waits == pytest.approx([0, 0, 4.4, 8.8, 17.6, 35.2, 66, 66, 66])

    def test_an_acceptance_begins_the_row_anew(self) -> None:
        _, account, now = self.refuse_for_ever(0.0)
        account, _ = accepted(account, account.generation, X, (), now)
        account = minted(account, at=now)
        assert judge(account, Refusal(account.generation, X), now).ruling is Ruling.WAIT

    def test_the_hold_off_is_told_with_the_tokens_age(self) -> None:
        account = having(minted(an_account(), at=8.0), fresh=2)
        judgement = judge(account, Refusal(1, X, jitter=0.5), 10.0)
        assert judgement.ruling is Ruling.PASS
        assert judgement.account == having(account, holdoff=Holdoff(1, 10.0, 14.4))
        assert judgement.events == (
            refused(1, RefusalCause.HOLDOFF),
            HoldoffBegan(1, age=2.0, seconds=4.4),
        )

    def test_the_hold_off_of_an_older_token_does_not_stand_in_for_the_next(self) -> None:
        account = having(
            minted(one_fresh_token(), at=20.0), fresh=3, holdoff=Holdoff(1, 10.0, 14.0)
        )
        judgement = judge(account, Refusal(2, X), 20.0)
        assert judgement.account.holdoff == Holdoff(2, 20.0, 28.0)

    def test_a_probe_that_finds_it_dead_changes_nothing_about_that(self) -> None:
        account = having(on_trial(one_fresh_token(), 1), fresh=2)
        judgement = judge(account, Refusal(1, X, finding=Finding.DEAD), 10.0)
        assert judgement.ruling is Ruling.PASS
        assert judgement.account.holdoff == Holdoff(1, 10.0, 14.0)

    def test_a_token_that_was_accepted_once_is_not_fresh(self) -> None:
        account = having(one_accepted_token(), fresh=5)
        judgement = judge(account, Refusal(1, X), 10.0)
        assert judgement.ruling is Ruling.WAIT
        assert judgement.account.fresh == 5


class TestASpareDuringAHoldOff:
    """Rule 4, while a token that was accepted is at hand."""

    def fresh_beside_a_spare(self) -> Account:
        """An accepted token in slot 0 is the spare of the third fresh one in a row, in slot 1."""
        account = minted(an_account(A0, A1), seen_accepted=True)
        return having(minted(account, A1, 1800.0), fresh=2)

    def test_takes_over_at_once_and_the_next_mint_waits_for_the_end(self) -> None:
        before = self.fresh_beside_a_spare()
        judgement = judge(before, Refusal(2, X, jitter=0.5), 1802.0)
        account = judgement.account
        assert judgement.ruling is Ruling.RETRY
        assert token_phase(account, 1) is Phase.ACTIVE
        assert token_phase(account, 2) is Phase.ASIDE
        assert account.due == Due(Cause.REFUSAL, 1806.4, X)
        assert account.holdoff == Holdoff(2, 1802.0, 1806.4)
        assert (account.fresh, account.incident) == (3, None)
        assert judgement.events == (
            refused(2, RefusalCause.HOLDOFF),
            HoldoffBegan(2, age=2.0, seconds=4.4),
            Switched(1, A0),
        )

    def test_has_the_endpoint_on_trial(self) -> None:
        before = having(self.fresh_beside_a_spare(), trials=MappingProxyType({"GET /y": 2}))
        account = judge(before, Refusal(2, X), 1802.0).account
        assert dict(account.trials) == {"GET /y": 2, X: 1}
        assert judge(account, Refusal(1, X), 1803.0).ruling is Ruling.PROBE

    def test_is_not_asked_of_a_token_that_was_never_accepted(self) -> None:
        account = having(minted(minted(an_account(A0, A1)), A1), fresh=2)
        judgement = judge(account, Refusal(2, X), 1.0)
        assert judgement.ruling is Ruling.PASS
        assert judgement.account == having(account, holdoff=Holdoff(2, 1.0, 5.0))

    def test_is_not_asked_of_a_token_that_is_about_to_expire(self) -> None:
        account = self.fresh_beside_a_spare()
        assert judge(account, Refusal(2, X), 3539.75).ruling is Ruling.RETRY
        assert judge(account, Refusal(2, X), 3540.0).ruling is Ruling.PASS

    def test_is_judged_as_ever_if_it_is_refused_as_well(self) -> None:
        account = judge(self.fresh_beside_a_spare(), Refusal(2, X), 1802.0).account
        judgement = judge(account, Refusal(1, "GET /y"), 1803.0)
        assert judgement.ruling is Ruling.WAIT
        assert judgement.account.due == Due(Cause.REFUSAL, 1803.0, "GET /y")

    def test_lets_the_hold_offs_grow_while_it_stands_in_again_and_again(self) -> None:
        account, now, waits = self.fresh_beside_a_spare(), 1800.0, []
        for turn in range(6):
            # Each time another endpoint: one alone would be on trial, and probed.
            refusal = Refusal(account.generation, f"GET /{turn}")
            judgement = judge(account, refusal, now)
            assert judgement.ruling is Ruling.RETRY
            account, _ = accepted(judgement.account, 1, f"GET /{turn}", (), now)
            assert account.due is not None
            waits.append(account.due.at - now)
            now = account.due.at
            account = minted(account, A1, now)
        assert waits == [4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


class TestATokenAtFault:
    """Rule 5."""

    def test_is_set_aside_and_its_replacement_due(self) -> None:
        judgement = judge(one_accepted_token(), Refusal(1, X), 10.0)
        assert judgement.ruling is Ruling.WAIT
        assert judgement.account.active is None
        assert token_phase(judgement.account, 1) is Phase.ASIDE
        assert judgement.account.due == Due(Cause.REFUSAL, 10.0, X)
        assert judgement.events == (refused(1, RefusalCause.TOKEN),)

    def test_puts_its_endpoint_on_trial_for_the_token_that_is_minted(self) -> None:
        account = judge(one_accepted_token(), Refusal(1, X), 10.0).account
        account = minted(account, at=10.0)
        assert dict(account.trials) == {X: 2}
        assert judge(account, Refusal(2, X), 11.0).ruling is Ruling.PROBE
        assert judge(account, Refusal(2, "GET /y"), 11.0).ruling is Ruling.WAIT

    def test_if_it_is_fresh_is_counted_and_no_incident(self) -> None:
        judgement = judge(one_fresh_token(), Refusal(1, X), 10.0)
        assert judgement.account.fresh == 1
        assert judgement.account.incident is None
        assert judgement.events == (refused(1, RefusalCause.FRESH),)

    def test_if_it_was_accepted_is_an_incident(self) -> None:
        account = judge(one_accepted_token(), Refusal(1, X), 10.0).account
        assert account.incident == Incident(1, A0, X, explained=False)
        assert account.fresh == 0

    def test_is_explained_by_a_mint_in_progress(self) -> None:
        minting = Minting(A0, 5.0, "1", "replica", Cause.ROTATION)
        account = having(one_accepted_token(), minting=minting)
        assert judge(account, Refusal(1, X), 10.0).account.incident == Incident(
            1, A0, X, explained=True
        )

    def test_is_explained_if_zoom_says_that_its_life_is_over(self) -> None:
        account = judge(one_accepted_token(), Refusal(1, X, expired=True), 10.0).account
        assert account.incident == Incident(1, A0, X, explained=True)

    def test_is_explained_by_a_lost_mint_for_half_a_minute(self) -> None:
        account = minted(an_account(), at=5.0, seen_accepted=True)
        account = having(account, lost=MappingProxyType({A0: 4.0}))
        soon = judge(account, Refusal(1, X), 33.75).account.incident
        later = judge(account, Refusal(1, X), 34.0).account.incident
        assert soon is not None
        assert later is not None
        assert (soon.explained, later.explained) == (True, False)

    def test_gives_way_to_the_spare_at_once_and_its_own_slot_is_due(self) -> None:
        judgement = judge(two_accepted_tokens(), Refusal(2, X), 1801.0)
        account = judgement.account
        assert judgement.ruling is Ruling.RETRY
        assert token_phase(account, 1) is Phase.ACTIVE
        assert token_phase(account, 2) is Phase.ASIDE
        assert account.due == Due(Cause.REFUSAL, 1801.0, X)
        assert judgement.events == (refused(2, RefusalCause.TOKEN), Switched(1, A0))

    def test_puts_its_endpoint_on_trial_for_the_spare(self) -> None:
        account = having(two_accepted_tokens(), trials=MappingProxyType({"GET /y": 2}))
        account = judge(account, Refusal(2, X), 1801.0).account
        assert dict(account.trials) == {"GET /y": 2, X: 1}
        assert judge(account, Refusal(1, X), 1802.0).ruling is Ruling.PROBE

    def test_has_no_spare_that_is_about_to_expire(self) -> None:
        account = minted(two_accepted_tokens(), A1, 3500.0)
        assert judge(account, Refusal(3, X), 3539.75).ruling is Ruling.RETRY
        assert judge(account, Refusal(3, X), 3540.0).ruling is Ruling.WAIT

    def test_that_is_a_spare_in_its_turn_leaves_nobody(self) -> None:
        account = judge(two_accepted_tokens(), Refusal(2, X), 1801.0).account
        judgement = judge(account, Refusal(1, "GET /y"), 1802.0)
        assert judgement.ruling is Ruling.WAIT
        assert judgement.account.active is None

    def test_of_one_app_gives_way_to_the_spare_of_another(self) -> None:
        account = minted(minted(an_account(A0, B0), seen_accepted=True), B0, 1.0)
        judgement = judge(account, Refusal(2, X), 2.0)
        assert judgement.events[-1] == Switched(1, A0)


def test_a_suspicion_can_be_told_without_a_refusal() -> None:
    account, events = suspect(one_accepted_token(), 1, X, 5.0)
    assert dict(account.suspects) == {X: 605.0}
    assert events == (EndpointSuspected(X, SUSPICION),)


class TestVindication:
    """No mint is to be had, so a probe looks at the token that was set aside."""

    def set_aside(self) -> Account:
        return judge(one_accepted_token(), Refusal(1, X), 10.0).account

    def test_a_living_token_is_active_again_and_its_endpoint_suspected(self) -> None:
        account, events = vindicate(self.set_aside(), 1, Finding.ALIVE, 20.0)
        assert account.active == one_accepted_token().active
        assert account.due is None
        assert account.incident is None
        assert dict(account.suspects) == {X: 620.0}
        assert events == (EndpointSuspected(X, SUSPICION),)

    def test_what_an_operator_asked_for_meanwhile_stays_due(self) -> None:
        account = request(self.set_aside(), 15.0)
        account, events = vindicate(account, 1, Finding.ALIVE, 20.0)
        assert account.active is not None
        assert account.due == Due(Cause.REQUEST, 15.0)
        assert dict(account.suspects) == {X: 620.0}
        assert events == (EndpointSuspected(X, SUSPICION),)

    def test_if_nobody_knows_which_endpoint_refused_none_is_suspected(self) -> None:
        account = having(self.set_aside(), due=Due(Cause.REQUEST, 15.0))
        account, events = vindicate(account, 1, Finding.ALIVE, 20.0)
        assert account.active is not None
        assert dict(account.suspects) == {}
        assert events == ()

    def test_nor_if_no_mint_is_due(self) -> None:
        account = having(self.set_aside(), due=None)
        account, events = vindicate(account, 1, Finding.ALIVE, 20.0)
        assert account.active is not None
        assert events == ()

    def test_a_dead_token_is_a_proved_incident(self) -> None:
        before = self.set_aside()
        account, events = vindicate(before, 1, Finding.DEAD, 20.0)
        assert account == having(
            before, incident=Incident(1, A0, X, explained=False, confirmed=True)
        )
        assert events == ()
        account = minted(account, at=21.0)
        assert accepted(account, 2, "GET /y", (), 22.0)[1] == (ForeignMint(1, A0),)

    @pytest.mark.parametrize("finding", [Finding.NONE, Finding.UNDECIDED])
    def test_without_a_verdict_nothing_changes(self, finding: Finding) -> None:
        account = self.set_aside()
        assert vindicate(account, 1, finding, 20.0) == (account, ())

    def test_a_dead_token_of_another_incident_changes_nothing(self) -> None:
        account = self.set_aside()
        assert vindicate(account, 7, Finding.DEAD, 20.0) == (account, ())
        account = having(account, incident=None)
        assert vindicate(account, 1, Finding.DEAD, 20.0) == (account, ())

    def test_a_living_token_that_was_replaced_meanwhile_changes_nothing(self) -> None:
        account = minted(self.set_aside(), at=15.0)
        assert vindicate(account, 1, Finding.ALIVE, 20.0) == (account, ())

    def test_a_token_that_was_fresh_is_not_counted_as_such_any_more(self) -> None:
        account = judge(one_fresh_token(), Refusal(1, X), 10.0).account
        assert account.fresh == 1
        account, _ = vindicate(account, 1, Finding.ALIVE, 20.0)
        assert account.fresh == 0
