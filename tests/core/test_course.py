"""When to mint next and in which slot, and what mints change."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from gateway.core import slots as machine
from gateway.core.account import Account, Due, Incident, Minting, advance, explained, token_phase
from gateway.core.backoff import Budget
from gateway.core.course import (
    ASKED_PAUSE,
    LONGEST_MINT,
    Course,
    Mint,
    Publication,
    Rest,
    Step,
    abandon,
    begin,
    begun,
    failed,
    lost,
    next_step,
    publish,
    relate,
    replan,
    request,
    rotation_start,
    to_compare,
    under_way,
)
from gateway.core.errors import MAY_HAVE_MINTED, MintFailure
from gateway.core.events import LostMint, Minted, MintFailed, SlotOut, SlotsLinked
from gateway.core.judge import Refusal, judge
from gateway.core.secret import Secret
from gateway.core.slots import Phase, Slot
from gateway.core.token import Cause, Grant, SlotId, Token
from tests.core.strategies import A0, A1, A2, B0, a_mint, a_token, an_account, mint_error, minted

X = "GET /x"
APART = frozenset((A0, A1))


def step(account: Account, now: float, course: Course | None = None) -> Step:
    return next_step(advance(account, now), course or Course(), now)


def having(account: Account, **changes: Any) -> Account:
    return replace(account, **changes)


def slot_having(account: Account, slot_id: SlotId, **changes: Any) -> Account:
    slots = tuple(
        replace(slot, **changes) if slot.id == slot_id else slot for slot in account.slots
    )
    return replace(account, slots=slots)


def with_linked(account: Account) -> Account:
    return having(account, apart=MappingProxyType({APART: False}))


class TestWithoutAToken:
    def test_the_first_mint_is_a_start(self) -> None:
        assert step(an_account(A0, A1), 0.0) == Mint(A0, Cause.START)

    def test_after_one_that_ran_out_it_is_an_expiry(self) -> None:
        assert step(minted(an_account()), 3540.0) == Mint(A0, Cause.EXPIRY)

    def test_after_a_refusal_it_is_a_refusal(self) -> None:
        account = judge(minted(an_account()), Refusal(1, X), 5.0).account
        assert step(account, 5.0) == Mint(A0, Cause.REFUSAL)

    def test_a_slot_in_backoff_is_not_tried_before_its_time(self) -> None:
        account = slot_having(an_account(), A0, retry_at=9.0)
        assert step(account, 8.75) == Rest(9.0)
        assert step(account, 9.0) == Mint(A0, Cause.START)

    def test_another_slot_is_tried_meanwhile(self) -> None:
        account = slot_having(an_account(A0, A1), A0, retry_at=9.0)
        assert step(account, 5.0) == Mint(A1, Cause.START)

    def test_of_several_in_backoff_the_earliest_ends_the_rest(self) -> None:
        account = slot_having(an_account(A0, A1), A0, retry_at=9.0)
        assert step(slot_having(account, A1, retry_at=7.0), 5.0) == Rest(7.0)

    def test_a_barred_slot_is_not_tried_while_another_is_not(self) -> None:
        account = slot_having(an_account(A0, A1), A0, barred="no")
        assert step(account, 5.0) == Mint(A1, Cause.START)
        assert step(slot_having(account, A1, retry_at=9.0), 5.0) == Rest(9.0)

    def test_if_all_are_barred_each_is_tried_again_at_its_time(self) -> None:
        account = slot_having(an_account(A0, A1), A0, barred="no", retry_at=9.0)
        account = slot_having(account, A1, barred="no", retry_at=7.0)
        assert step(account, 6.75) == Rest(7.0)
        assert step(account, 7.0) == Mint(A1, Cause.START)
        account = slot_having(account, A1, retry_at=67.0)
        assert step(account, 9.0) == Mint(A0, Cause.START)

    def test_a_barred_slot_is_tried_if_all_others_fail(self) -> None:
        account = slot_having(an_account(A0, B0), A0, barred="no", failures=1)
        account = slot_having(account, B0, retry_at=60.0, failures=1)
        assert step(account, 5.0) == Mint(A0, Cause.START)


class TestABeginning:
    """Of a replica, or of new credentials."""

    def test_tries_at_once_what_was_put_off_or_out(self) -> None:
        account = slot_having(an_account(A0, A1), A0, barred="no", failures=3, retry_at=60.0)
        account, events = begun(account, 5.0)
        assert (account.slots[0].barred, account.slots[0].failures) == ("", 0)
        assert step(account, 5.0) == Mint(A0, Cause.START)
        assert events == ()


class TestAStandIn:
    """The token of app a, at hand again since the younger one of app b was refused at once."""

    def account(self) -> Account:
        account = minted(minted(an_account(A0, B0), A0), B0, at=1800.0)
        slots = machine.refuse(account.slots, 2)
        due = Due(Cause.REFUSAL, 3300.0, X)
        return having(account, slots=machine.promote(slots, A0), fresh=3, due=due)

    def test_is_renewed_late_in_its_own_slot(self) -> None:
        assert step(self.account(), 3239.0) == Rest(3240.0)
        assert step(self.account(), 3240.0) == Mint(A0, Cause.ROTATION)

    def test_waits_for_the_mint_that_is_due_if_the_younger_one_was_not_fresh(self) -> None:
        assert step(having(self.account(), fresh=0), 3240.0) == Rest(3300.0)


class TestAMintThatIsDue:
    def test_is_done_although_a_token_is_active(self) -> None:
        account = request(minted(an_account(A0, A1)), 5.0)
        assert account.due == Due(Cause.REQUEST, 5.0)
        assert step(account, 5.0) == Mint(A1, Cause.REQUEST)

    def test_waits_for_its_time(self) -> None:
        account = having(minted(an_account()), due=Due(Cause.REQUEST, 5.25))
        assert step(account, 5.0) == Rest(5.25)

    def test_and_is_not_waited_for_longer_than_the_rotation(self) -> None:
        account = having(minted(an_account()), due=Due(Cause.REQUEST, 9999.0))
        assert step(account, 5.0) == Rest(3240.0)

    def test_after_a_switch_goes_to_the_slot_that_was_set_aside(self) -> None:
        account = minted(minted(an_account(A0, A1, A2)), A1, 1.0)
        account = judge(account, Refusal(2, X), 2.0).account
        assert step(account, 2.0) == Mint(A1, Cause.REFUSAL)


class TestRotation:
    def test_with_another_slot_is_at_half_of_the_life_and_there(self) -> None:
        account = minted(an_account(A0, A1))
        assert step(account, 1799.75) == Rest(1800.0)
        assert step(account, 1800.0) == Mint(A1, Cause.ROTATION)

    def test_with_one_slot_is_at_nine_tenths_of_it(self) -> None:
        account = minted(an_account())
        assert step(account, 3239.75) == Rest(3240.0)
        assert step(account, 3240.0) == Mint(A0, Cause.ROTATION)

    def test_is_spread_over_five_seconds(self) -> None:
        account = minted(an_account(A0, A1))
        assert step(account, 1800.0, Course(jitter=0.5)) == Rest(1802.5)
        assert step(account, 1802.5, Course(jitter=0.5)) == Mint(A1, Cause.ROTATION)

    def test_is_spread_less_for_short_lives(self) -> None:
        account = minted(an_account(A0, A1), life=100.0)
        assert step(account, 50.0, Course(jitter=0.5)) == Rest(51.0)

    @pytest.mark.parametrize("life", [3.0, 60.0, 1200.0, 3600.0, 360_000.0])
    @pytest.mark.parametrize("slots", [(A0,), (A0, A1)])
    @pytest.mark.parametrize("share", [None, 0.5, 0.99])
    def test_is_never_tried_later_than_the_expiry_margin(
        self, life: float, slots: tuple[SlotId, ...], share: float | None
    ) -> None:
        course = Course(share, jitter=0.999)
        account = minted(an_account(*slots), life=life, course=course)
        token = account.active
        assert token is not None
        assert 0.0 < rotation_start(account, token, course) <= token.usable_until

    def test_without_a_stored_time_is_reckoned_from_the_life(self) -> None:
        account = having(minted(an_account(A0, A1), at=100.0), rotate_at=None)
        assert step(account, 200.0) == Rest(1900.0)

    @pytest.mark.parametrize("slots", [(A0,), (A0, A1)])
    def test_is_when_the_configuration_says(self, slots: tuple[SlotId, ...]) -> None:
        course = Course(rotate_at=0.25)
        account = minted(an_account(*slots), course=course)
        assert step(account, 899.75, course) == Rest(900.0)
        assert step(account, 900.0, course) == Mint(slots[-1], Cause.ROTATION)

    def test_waits_for_the_other_slots_backoff_rather_than_break_calls(self) -> None:
        account = slot_having(minted(an_account(A0, A1)), A1, retry_at=1860.0)
        assert step(account, 1800.0) == Rest(1860.0)
        assert step(account, 1860.0) == Mint(A1, Cause.ROTATION)
        assert step(account, 1800.0, Course(rotate_at=0.25)) == Rest(1860.0)

    def test_goes_into_its_own_slot_when_it_is_late_and_the_other_still_fails(self) -> None:
        account = slot_having(minted(an_account(A0, A1)), A1, retry_at=3300.0)
        assert step(account, 3000.0) == Rest(3240.0)
        assert step(account, 3240.0) == Mint(A0, Cause.ROTATION)

    def test_is_late_if_the_other_slot_is_barred(self) -> None:
        account = slot_having(minted(an_account(A0, A1)), A1, barred="no")
        assert step(account, 1800.0) == Rest(3240.0)

    def test_is_tried_late_in_a_barred_slot_if_all_are(self) -> None:
        account = slot_having(minted(an_account(A0)), A0, barred="no", retry_at=3300.0)
        assert step(account, 3240.0) == Rest(3300.0)
        assert step(account, 3300.0) == Mint(A0, Cause.ROTATION)

    def test_is_late_if_the_other_slot_is_linked(self) -> None:
        account = minted(with_linked(an_account(A0, A1)))
        assert account.rotate_at == 3240.0
        assert step(account, 3240.0) == Mint(A1, Cause.ROTATION)


class TestWhichSlot:
    """The one whose mint does least harm."""

    def test_with_an_active_token_one_that_is_set_aside_comes_first(self) -> None:
        account = minted(minted(an_account(A0, A1, A2)), A1)
        account = having(account, slots=machine.refuse(account.slots, 1))
        assert step(request(account, 5.0), 5.0) == Mint(A0, Cause.REQUEST)

    def test_then_an_empty_one(self) -> None:
        account = minted(minted(an_account(A0, A1, A2)), A1)
        assert step(request(account, 5.0), 5.0) == Mint(A2, Cause.REQUEST)

    def test_then_the_spare(self) -> None:
        account = minted(minted(an_account(A0, A1)), A1)
        assert step(request(account, 5.0), 5.0) == Mint(A0, Cause.REQUEST)

    def test_of_spares_the_oldest(self) -> None:
        account = minted(minted(minted(an_account(A0, A1, A2), A1), A0), A2)
        assert step(request(account, 5.0), 5.0) == Mint(A1, Cause.REQUEST)

    def test_its_own_if_there_is_no_other(self) -> None:
        account = slot_having(minted(an_account(A0, A1)), A1, barred="no")
        assert step(request(account, 5.0), 5.0) == Mint(A0, Cause.REQUEST)

    def test_without_an_active_token_an_empty_one_comes_before_one_set_aside(self) -> None:
        account = judge(minted(an_account(A0, A1)), Refusal(1, X), 5.0).account
        assert step(account, 5.0) == Mint(A1, Cause.REFUSAL)

    def test_one_that_would_kill_the_active_token_comes_last(self) -> None:
        account = with_linked(minted(an_account(A0, A1, B0)))
        account = minted(account, B0)
        account = having(account, slots=machine.publish(account.slots, a_token(3, A0)))
        assert step(request(account, 5.0), 5.0) == Mint(B0, Cause.REQUEST)


class TestBudget:
    def spent(self, level: float) -> Account:
        account = judge(minted(an_account()), Refusal(1, X), 5.0).account
        return having(account, budget=Budget(level, 5.0))

    def test_a_mint_that_a_refusal_causes_waits_for_its_turn(self) -> None:
        turn = self.turn(self.spent(0.5))
        assert 6.0 <= turn < 6.5
        assert step(self.spent(0.5), turn + 1e-6) == Mint(A0, Cause.REFUSAL)

    def turn(self, account: Account) -> float:
        rest = step(account, 5.0)
        assert isinstance(rest, Rest)
        return rest.until

    def test_fleets_that_share_an_app_do_not_keep_step(self) -> None:
        fleets = [having(self.spent(0.5), epoch=f"fleet {number}") for number in range(20)]
        turns = {self.turn(fleet) for fleet in fleets}
        assert len(turns) == len(fleets)
        assert max(turns) - min(turns) > 0.25
        assert self.turn(fleets[0]) == self.turn(fleets[0])
        later = having(fleets[0], generation=fleets[0].generation + 1)
        assert self.turn(later) != self.turn(fleets[0])

    def test_others_do_not(self) -> None:
        assert step(request(self.spent(0.0), 5.0), 5.0) == Mint(A0, Cause.REQUEST)
        assert step(having(an_account(), budget=Budget(0.0, 5.0)), 5.0) == Mint(A0, Cause.START)

    @pytest.mark.parametrize("cause", Cause)
    def test_only_refusals_draw_on_it(self, cause: Cause) -> None:
        note = Minting(A0, 5.0, "1", "replica", cause)
        account, _ = begin(an_account(), note, 5.0)
        assert account.budget.filled(5.0).level == 119.0 + (cause is not Cause.REFUSAL)


class TestAMintInProgress:
    NOTE = Minting(A0, 5.0, "1", "replica", Cause.ROTATION)

    def test_is_noted(self) -> None:
        account, events = begin(an_account(), self.NOTE, 5.0)
        assert account == having(an_account(), minting=self.NOTE)
        assert events == ()

    def test_that_may_kill_a_refused_token_ends_the_search_for_proof(self) -> None:
        incident = Incident(1, A0, X, explained=False)
        account, _ = begin(having(an_account(A0, B0), incident=incident), self.NOTE, 5.0)
        assert account.incident == replace(incident, until=5.0)
        later, _ = begin(account, Minting(A0, 9.0, "2", "replica", Cause.REFUSAL), 9.0)
        assert later.incident == replace(incident, until=5.0)

    def test_in_another_app_leaves_a_refused_token_as_it_is(self) -> None:
        incident = Incident(1, B0, X, explained=False)
        account, _ = begin(having(an_account(A0, B0), incident=incident), self.NOTE, 5.0)
        assert account.incident == incident

    def test_that_was_left_unfinished_is_a_lost_one_as_of_its_beginning(self) -> None:
        account, _ = begin(an_account(A0, A1), self.NOTE, 5.0)
        later = Minting(A1, 9.0, "2", "other", Cause.EXPIRY)
        account, events = begin(account, later, 9.0)
        assert account.minting == later
        assert dict(account.lost) == {A0: 5.0}
        assert events == (LostMint(A0),)

    def test_that_will_not_be_published_is_a_lost_one(self) -> None:
        account, _ = begin(having(an_account(), lost=MappingProxyType({A1: 1.0})), self.NOTE, 5.0)
        account, events = abandon(account)
        assert account.minting is None
        assert dict(account.lost) == {A1: 1.0, A0: 5.0}
        assert events == (LostMint(A0),)

    def test_is_abandoned_only_once(self) -> None:
        assert abandon(an_account()) == (an_account(), ())

    def test_that_was_left_unfinished_explains_no_death_of_its_successors_token(self) -> None:
        before = minted(an_account(), seen_accepted=True)
        account, _ = begin(before, self.NOTE, 5.0)
        # The note is written a moment after the time that it names.
        account, _ = begin(account, Minting(A0, 9.0, "2", "other", Cause.ROTATION), 9.25)
        former = account.active
        account = minted(account, A0, 9.0)
        fresh = account.active
        assert former is not None
        assert fresh is not None
        assert explained(account, former, 5000.0)
        assert not explained(account, fresh, 5000.0)


class TestAMintThatCameTooLate:
    """Its token was minted, but the lease was another's by then."""

    NOTE = TestAMintInProgress.NOTE

    def test_is_a_lost_one_of_its_own_slot(self) -> None:
        before = having(an_account(A0, A1), minting=self.NOTE, lost=MappingProxyType({A1: 1.0}))
        account, events = lost(before, self.NOTE, 9.0)
        assert account == having(before, minting=None, lost=MappingProxyType({A1: 1.0, A0: 9.0}))
        assert events == (LostMint(A0),)

    def test_leaves_the_mint_that_is_in_progress_now(self) -> None:
        other = Minting(A1, 8.0, "2", "other", Cause.ROTATION)
        account, events = lost(having(an_account(A0, A1), minting=other), self.NOTE, 9.0)
        assert account.minting == other
        assert dict(account.lost) == {A0: 9.0}
        assert events == (LostMint(A0),)

    def test_is_lost_even_if_nobody_mints_any_more(self) -> None:
        account, events = lost(minted(an_account(A0, A1), A1, 6.0), self.NOTE, 9.0)
        assert dict(account.lost) == {A0: 9.0}
        assert account.active is not None
        assert events == (LostMint(A0),)


class TestPublication:
    GRANT = Grant(Secret("v"), 100.0, "scope", "https://api-de.zoom.us", previous_secret=True)
    NEWS = Publication(GRANT, A1, Cause.ROTATION, "replica", 10.0)

    def test_makes_the_token_from_the_grant_its_life_counted_from_the_request(self) -> None:
        account, _ = publish(minted(an_account(A0, A1)), self.NEWS, Course(), 11.5)
        assert account.active == Token(
            Secret("v"),
            A1,
            generation=2,
            issued_at=10.0,
            expires_at=110.0,
            cause=Cause.ROTATION,
            minter="replica",
            scope="scope",
            api_url="https://api-de.zoom.us",
            previous_secret=True,
        )

    def test_tells_of_it(self) -> None:
        _, events = publish(minted(an_account(A0, A1)), self.NEWS, Course(), 11.5)
        assert events == (Minted(A1, Cause.ROTATION, 2, 100.0, previous_secret=True, took=1.5),)

    def test_leaves_nothing_due_and_no_mint_in_progress(self) -> None:
        before = having(request(an_account(A0, A1), 9.0), minting=TestAMintInProgress.NOTE)
        account, _ = publish(before, self.NEWS, Course(), 11.5)
        assert (account.due, account.minting, account.generation) == (None, None, 1)

    def test_ends_all_trials_but_that_of_the_endpoint_that_caused_it(self) -> None:
        before = having(an_account(A0, A1), trials=MappingProxyType({"GET /old": 1}))
        assert dict(publish(before, self.NEWS, Course(), 11.5)[0].trials) == {}
        before = having(before, due=Due(Cause.REFUSAL, 5.0, X))
        assert dict(publish(before, self.NEWS, Course(), 11.5)[0].trials) == {X: 1}

    def test_writes_down_the_rotation_time(self) -> None:
        two, _ = publish(an_account(A0, A1), self.NEWS, Course(), 11.5)
        one, _ = publish(an_account(A1), self.NEWS, Course(), 11.5)
        set_, _ = publish(an_account(A1), self.NEWS, Course(rotate_at=0.25), 11.5)
        assert (two.rotate_at, one.rotate_at, set_.rotate_at) == (60.0, 100.0, 35.0)

    def test_keeps_the_token_before_it_as_a_spare(self) -> None:
        account, _ = publish(minted(an_account(A0, A1)), self.NEWS, Course(), 11.5)
        assert token_phase(account, 1) is Phase.SPARE


class TestFailure:
    def test_loses_no_token_and_ends_the_mint(self) -> None:
        before = having(minted(an_account()), minting=TestAMintInProgress.NOTE)
        account, _ = failed(before, a_mint(), mint_error(MintFailure.SERVER_ERROR), 0.0, 10.0)
        assert account.active == before.active
        assert account.minting is None

    def test_is_told_with_the_pause_that_follows(self) -> None:
        error = mint_error(MintFailure.RATE_LIMITED, 30.0)
        _, events = failed(an_account(), a_mint(), error, 0.0, 10.0)
        assert events == (
            MintFailed(
                A0, Cause.ROTATION, MintFailure.RATE_LIMITED, "Zoom says rate_limited", 30.0
            ),
        )

    def test_is_told_with_how_long_it_took(self) -> None:
        error = mint_error(MintFailure.TIMEOUT)
        _, (told, *_) = failed(an_account(), a_mint(), error, 0.0, 10.0, 6.5)
        assert isinstance(told, MintFailed)
        assert told.took == 3.5

    def test_the_pauses_grow_with_the_failures_in_a_row(self) -> None:
        account, pauses = an_account(), []
        for _ in range(8):
            account, _ = failed(account, a_mint(), mint_error(MintFailure.CONNECTION), 0.0, 10.0)
            pauses.append(account.slots[0].retry_at - 10.0)
        assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]

    @pytest.mark.parametrize(
        ("failure", "concerned"),
        [
            (MintFailure.INVALID_CLIENT, [A0, A1]),
            (MintFailure.INVALID_ACCOUNT, [A0, A1]),
            (MintFailure.INVALID_INDEX, [A0]),
            (MintFailure.REFUSED, [A0]),
            (MintFailure.RATE_LIMITED, [A0, A1]),
            (MintFailure.SERVER_ERROR, [A0, A1, B0]),
            (MintFailure.MALFORMED, [A0, A1, B0]),
            (MintFailure.TIMEOUT, [A0, A1, B0]),
            (MintFailure.CONNECTION, [A0, A1, B0]),
            (MintFailure.BROKEN, [A0, A1, B0]),
        ],
    )
    def test_holds_back_the_slots_it_concerns_and_no_other(
        self, failure: MintFailure, concerned: list[SlotId]
    ) -> None:
        account, _ = failed(an_account(A0, A1, B0), a_mint(), mint_error(failure), 0.0, 10.0)
        held = [slot.id for slot in account.slots if slot.retry_at > 10.0]
        assert held == concerned
        assert [slot.failures for slot in account.slots] == [
            int(slot.id in concerned) for slot in account.slots
        ]

    @pytest.mark.parametrize("failure", MintFailure)
    def test_after_which_a_token_may_exist_is_a_lost_mint(self, failure: MintFailure) -> None:
        account, events = failed(an_account(), a_mint(), mint_error(failure), 0.0, 10.0)
        lost = failure in MAY_HAVE_MINTED
        assert dict(account.lost) == ({A0: 10.0} if lost else {})
        assert (LostMint(A0) in events) is lost

    def test_of_the_index_bars_the_slot_until_it_is_granted_after_all(self) -> None:
        error = mint_error(MintFailure.INVALID_INDEX)
        account, events = failed(an_account(A0, A1), a_mint(A1), error, 0.0, 10.0)
        assert [slot.barred for slot in account.slots] == ["", "Zoom says invalid_index"]
        assert events[-1] == SlotOut(A1, "Zoom says invalid_index")
        assert minted(account, A1).slots[1].barred == ""

    def test_of_the_index_lets_a_minute_pass_before_the_slot_may_be_tried_again(self) -> None:
        error = mint_error(MintFailure.INVALID_INDEX)
        account, _ = failed(an_account(), a_mint(), error, 0.0, 10.0)
        assert step(account, 10.0) == Rest(70.0)
        account, _ = failed(account, a_mint(), error, 0.5, 70.0)
        assert step(account, 70.0) == Rest(136.0)
        assert step(account, 136.0) == Mint(A0, Cause.START)

    def test_of_another_kind_leaves_a_barred_slot_barred(self) -> None:
        account = slot_having(an_account(A0, A1), A1, barred="no")
        error = mint_error(MintFailure.SERVER_ERROR)
        account, _ = failed(account, a_mint(), error, 0.0, 10.0)
        assert account.slots[1].barred == "no"

    def test_that_bars_the_only_other_slot_makes_the_rotation_late(self) -> None:
        account = minted(an_account(A0, A1))
        error = mint_error(MintFailure.INVALID_INDEX)
        account, _ = failed(account, a_mint(A1), error, 0.0, 1800.0)
        assert account.rotate_at == 3240.0
        assert step(account, 1800.0) == Rest(3240.0)

    @pytest.mark.parametrize(
        "failure",
        [MintFailure.INVALID_CLIENT, MintFailure.INVALID_ACCOUNT, MintFailure.RATE_LIMITED],
    )
    def test_of_one_app_lets_the_other_mint(self, failure: MintFailure) -> None:
        error = mint_error(failure)
        account, _ = failed(an_account(A0, B0), a_mint(), error, 0.0, 10.0)
        assert step(account, 10.0) == Mint(B0, Cause.START)


class TestRelation:
    def test_of_slots_that_leave_each_other_alone_is_kept(self) -> None:
        before = minted(an_account(A0, A1))
        account, events = relate(before, A0, A1, alive=True)
        assert dict(account.apart) == {APART: True}
        assert account.rotate_at == before.rotate_at
        assert events == ()

    def test_of_slots_that_kill_each_other_makes_the_rotation_late(self) -> None:
        account, events = relate(minted(an_account(A0, A1)), A0, A1, alive=False)
        assert dict(account.apart) == {APART: False}
        assert account.rotate_at == 3240.0
        assert events == (SlotsLinked((A0, A1)),)

    def test_leaves_the_rotation_early_while_another_app_is_at_hand(self) -> None:
        account, _ = relate(minted(an_account(A0, A1, B0)), A0, A1, alive=False)
        assert account.rotate_at == 1800.0
        assert step(account, 1800.0) == Mint(B0, Cause.ROTATION)

    def test_replans_nothing_without_a_token_or_a_rotation_time(self) -> None:
        assert replan(an_account()) == an_account()
        account = having(minted(an_account()), rotate_at=None)
        assert replan(account) is account

    def test_replans_nothing_for_a_hair(self) -> None:
        account = having(minted(an_account()), rotate_at=3239.9999)
        assert replan(account) is account


class TestComparing:
    ACCEPTED = replace(a_token(), accepted_at=5.0)

    def test_asks_whether_an_accepted_token_outlives_a_mint_in_another_slot_of_its_app(
        self,
    ) -> None:
        assert to_compare(an_account(A0, A1), self.ACCEPTED, A1)

    @pytest.mark.parametrize(
        ("before", "slot"), [(None, A1), (a_token(), A1), (ACCEPTED, A0), (ACCEPTED, B0)]
    )
    def test_asks_nothing_of_others(self, before: Token | None, slot: SlotId) -> None:
        assert not to_compare(an_account(A0, A1, B0), before, slot)

    @pytest.mark.parametrize("alive", [True, False])
    def test_asks_only_once(self, *, alive: bool) -> None:
        account, _ = relate(an_account(A0, A1), A0, A1, alive=alive)
        assert not to_compare(account, self.ACCEPTED, A1)


def test_an_empty_slot_holds_no_token_whatever_the_course() -> None:
    assert step(an_account(), 0.0, Course(rotate_at=0.5, jitter=0.9)) == Mint(A0, Cause.START)
    assert an_account().slots == (Slot(A0),)


class TestARequest:
    def test_is_under_way_from_the_wish_to_the_mint(self) -> None:
        account = minted(an_account(A0, A1))
        assert not under_way(account, 5.0)
        asked = request(account, 5.0)
        assert under_way(asked, 5.0)
        assert not under_way(minted(asked, A1, 6.0), 7.0)

    def test_is_not_needed_while_a_mint_is_in_progress(self) -> None:
        begun = replace(minted(an_account()), minting=Minting(A0, 5.0, "7", "r", Cause.ROTATION))
        assert under_way(begun, 6.0)
        # Its replica died, it seems.
        assert not under_way(begun, 5.0 + LONGEST_MINT)

    def test_takes_the_place_of_a_mint_that_waits(self) -> None:
        waiting = replace(minted(an_account()), due=Due(Cause.REFUSAL, 4.0, "GET /x"))
        assert not under_way(waiting, 5.0)
        assert request(waiting, 5.0).due == Due(Cause.REQUEST, 5.0, "GET /x")

    def test_leaves_the_endpoint_on_trial_whose_refusal_made_that_one_due(self) -> None:
        waiting = replace(minted(an_account()), due=Due(Cause.REFUSAL, 4.0, "GET /x"))
        assert dict(minted(request(waiting, 5.0), at=6.0).trials) == {"GET /x": 2}

    @pytest.mark.parametrize(
        ("now", "at"), [(10.0, 15.0), (12.0, 15.0), (15.0, 15.0), (99.0, 99.0)]
    )
    def test_waits_a_moment_after_a_token_that_was_asked_for(self, now: float, at: float) -> None:
        account = minted(minted(an_account()), A0, 10.0, cause=Cause.REQUEST)
        assert request(account, now).due == Due(Cause.REQUEST, at)
        assert step(request(account, now), at) == Mint(A0, Cause.REQUEST)

    def test_does_not_put_off_what_a_refusal_made_due(self) -> None:
        account = minted(minted(an_account()), A0, 10.0, cause=Cause.REQUEST)
        refused = replace(account, due=Due(Cause.REFUSAL, 11.0, "GET /x"))
        assert request(refused, 12.0).due == Due(Cause.REQUEST, 12.0, "GET /x")

    def test_waits_no_longer_for_a_clock_that_was_set_back(self) -> None:
        account = minted(an_account(), A0, 3600.0, cause=Cause.REQUEST)
        assert request(account, 10.0).due == Due(Cause.REQUEST, 10.0 + ASKED_PAUSE)
