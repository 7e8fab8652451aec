"""The account: what time and accepted calls change, what explains a death, and all at once."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from gateway.core import account as rules
from gateway.core import slots as machine
from gateway.core.account import (
    Account,
    Incident,
    Minting,
    accepted,
    advance,
    alternatives,
    empty,
    explained,
    linked,
    may_kill,
    takes_previous_secret,
    token_phase,
    worth_noting,
)
from gateway.core.backoff import Budget
from gateway.core.events import ForeignMint, HoldoffEnded
from gateway.core.slots import Phase, Slot
from gateway.core.token import Cause, SlotId
from tests.core.account_machine import AccountMachine
from tests.core.strategies import A0, A1, A2, B0, a_token, an_account, minted


def pair(one: SlotId, other: SlotId) -> frozenset[SlotId]:
    return frozenset((one, other))


def with_secrets(**previous: bool) -> Account:
    """Tokens in a/0, a/1 and b/0, minted in this order."""
    tokens = [a_token(1, A0), a_token(2, A1), a_token(3, B0)]
    slots = tuple(
        Slot(token.slot, Phase.SPARE, replace(token, previous_secret=name in previous))
        for name, token in zip(("a0", "a1", "b0"), tokens, strict=True)
    )
    return replace(an_account(), slots=slots)


class TestThePreviousSecret:
    def test_is_not_taken_by_an_account_without_a_token(self) -> None:
        assert not takes_previous_secret(an_account())

    def test_is_told_by_the_newest_token_of_an_app(self) -> None:
        assert takes_previous_secret(with_secrets(a1=True))
        assert not takes_previous_secret(with_secrets(a0=True))

    def test_is_told_whatever_the_order_of_the_slots(self) -> None:
        account = with_secrets(a1=True)
        assert takes_previous_secret(replace(account, slots=account.slots[::-1]))

    def test_of_one_app_is_told_though_another_app_minted_since(self) -> None:
        assert takes_previous_secret(with_secrets(a1=True))
        assert takes_previous_secret(with_secrets(b0=True))


class TestAnEmptyAccount:
    def test_has_a_slot_for_each_configured_one_in_their_order(self) -> None:
        account = empty("e", (A1, B0, A0), 7.0)
        assert account.slots == (Slot(A1), Slot(B0), Slot(A0))
        assert (account.epoch, account.generation) == ("e", 0)

    def test_has_a_full_budget_from_now_on(self) -> None:
        assert empty("e", (A0,), 7.0).budget == Budget(120.0, 7.0)

    def test_has_no_token(self) -> None:
        account = an_account()
        assert account.active is None
        assert account.usable(0.0) is None


def test_the_active_token_is_usable_until_its_margin() -> None:
    account = minted(an_account())
    assert account.usable(3539.75) == account.active
    assert account.active is not None
    assert account.usable(3540.0) is None


def test_what_is_kept_for_others_ends_with_its_token() -> None:
    short = Slot(B0, Phase.ACTIVE, a_token(1, B0, life=50.0))
    long = Slot(A1, Phase.SPARE, a_token(2, A1, life=100.0))
    strangers = MappingProxyType({(B0, "other"): short, (A1, "other"): long})
    account = replace(an_account(), strangers=strangers)
    assert advance(account, 49.75) is account
    assert list(advance(account, 50.0).strangers) == [(A1, "other")]
    assert advance(account, 50.0).active is None


def test_the_failures_that_others_had_are_kept_for_an_hour() -> None:
    strangers = MappingProxyType({(B0, "other"): Slot(B0, failures=2, retry_at=60.0)})
    account = replace(an_account(), strangers=strangers)
    assert advance(account, 3659.75) is account
    assert not advance(account, 3660.0).strangers


def test_the_phase_of_a_token_is_found_by_its_generation() -> None:
    account = minted(minted(an_account(A0, A1)), A1)
    assert token_phase(account, 1) is Phase.SPARE
    assert token_phase(account, 2) is Phase.ACTIVE
    assert token_phase(account, 3) is Phase.EMPTY


class TestProbation:
    def test_an_endpoint_is_on_trial_for_the_token_that_it_brought_about(self) -> None:
        account = replace(an_account(), trials=MappingProxyType({"GET /x": 4}))
        assert account.on_probation("GET /x", 4, 0.0)
        assert not account.on_probation("GET /x", 5, 0.0)
        assert not account.on_probation("GET /y", 4, 0.0)

    def test_an_endpoint_is_suspected_until_its_time_is_over(self) -> None:
        account = replace(an_account(), suspects=MappingProxyType({"GET /x": 600.0}))
        assert account.on_probation("GET /x", 1, 599.75)
        assert not account.on_probation("GET /x", 1, 600.0)


class TestKinship:
    def test_a_mint_in_its_own_slot_may_kill_a_token(self) -> None:
        assert linked(an_account(), A0, A0)
        assert may_kill(an_account(), A0, A0)

    def test_what_is_not_known_may_kill_but_is_not_linked(self) -> None:
        assert not linked(an_account(), A0, A1)
        assert may_kill(an_account(), A0, A1)

    def test_slots_seen_apart_do_not_kill(self) -> None:
        account = replace(an_account(), apart=MappingProxyType({pair(A0, A1): True}))
        assert not linked(account, A1, A0)
        assert not may_kill(account, A1, A0)

    def test_slots_seen_linked_kill(self) -> None:
        account = replace(an_account(), apart=MappingProxyType({pair(A0, A1): False}))
        assert linked(account, A1, A0)
        assert may_kill(account, A1, A0)

    def test_another_app_never_kills(self) -> None:
        assert not may_kill(an_account(), B0, A0)

    def test_alternatives_are_neither_linked_nor_barred(self) -> None:
        account = replace(
            an_account(),
            slots=(Slot(A0), Slot(A1), Slot(A2, barred="no"), Slot(B0)),
            apart=MappingProxyType({pair(A0, A1): False}),
        )
        assert [slot.id for slot in alternatives(account, A0)] == [B0]
        assert [slot.id for slot in alternatives(account, A1)] == [B0]
        assert [slot.id for slot in alternatives(account, A2)] == [A0, A1, B0]


class TestSpare:
    def test_a_token_of_another_slot_is_at_hand(self) -> None:
        account = minted(minted(an_account(A0, A1)), A1)
        found = rules.spare(account, 0.0)
        assert found is not None
        assert found.id == A0

    def test_one_that_a_younger_token_of_a_linked_slot_has_killed_is_none(self) -> None:
        account = minted(minted(an_account(A0, A1)), A1)
        account = replace(account, apart=MappingProxyType({pair(A0, A1): False}))
        assert rules.spare(account, 0.0) is None

    def test_an_older_token_of_a_linked_slot_kills_nothing(self) -> None:
        account = minted(minted(minted(an_account(A0, A1, B0)), A1), B0)
        account = replace(account, apart=MappingProxyType({pair(A0, A1): False}))
        found = rules.spare(account, 0.0)
        assert found is not None
        assert found.id == A1


class TestAdvance:
    def test_while_nothing_ends_the_account_stays_the_same_object(self) -> None:
        account = minted(an_account())
        assert advance(account, 3539.75) is account

    def test_a_spare_steps_in_for_an_expired_token(self) -> None:
        account = minted(minted(an_account(A0, A1), life=7200), A1)
        account = advance(account, 3540.0)
        assert account.active == a_token(1, A0, life=7200)
        assert token_phase(account, 2) is Phase.EMPTY

    def test_without_a_spare_there_is_no_token(self) -> None:
        assert advance(minted(an_account(A0, A1)), 3540.0).active is None

    def test_a_token_set_aside_does_not_step_in(self) -> None:
        account = minted(minted(an_account(A0, A1), life=7200), A1)
        account = replace(account, slots=machine.refuse(account.slots, 1))
        assert advance(account, 3540.0).active is None

    def test_suspicions_end_each_at_its_time(self) -> None:
        account = replace(an_account(), suspects=MappingProxyType({"a": 10.0, "b": 20.0}))
        assert advance(account, 9.75) is account
        assert dict(advance(account, 10.0).suspects) == {"b": 20.0}
        assert dict(advance(account, 20.0).suspects) == {}


class TestAccepted:
    def test_the_first_acceptance_is_noted_on_the_token(self) -> None:
        account, events = accepted(minted(an_account()), 1, "GET /x", (), 5.0)
        assert account.active is not None
        assert account.active.accepted_at == 5.0
        assert events == ()

    def test_a_later_one_changes_nothing(self) -> None:
        account = minted(an_account(), seen_accepted=True)
        assert not worth_noting(account, 1, "GET /x", ())
        assert accepted(account, 1, "GET /x", (), 5.0) == (account, ())

    def test_a_token_that_is_gone_changes_nothing(self) -> None:
        account = minted(minted(an_account()))
        assert not worth_noting(account, 1, "GET /x", ((1, 4.0),))
        assert accepted(account, 1, "GET /x", (), 5.0) == (account, ())

    def test_only_the_token_itself_is_marked(self) -> None:
        account = minted(minted(an_account(A0, A1)), A1)
        account, _ = accepted(account, 1, "GET /x", (), 5.0)
        tokens = [slot.token for slot in account.slots if slot.token]
        assert [token.accepted_at for token in tokens] == [5.0, None]

    def test_the_trial_of_the_endpoint_ends_and_no_other(self) -> None:
        account = minted(an_account(), seen_accepted=True)
        account = replace(account, trials=MappingProxyType({"GET /x": 1, "GET /y": 1}))
        assert worth_noting(account, 1, "GET /x", ())
        account, _ = accepted(account, 1, "GET /x", (), 5.0)
        assert dict(account.trials) == {"GET /y": 1}

    def test_a_trial_of_another_token_goes_on(self) -> None:
        account = minted(an_account())
        account = replace(account, trials=MappingProxyType({"GET /x": 9}))
        account, _ = accepted(account, 1, "GET /x", (), 5.0)
        assert dict(account.trials) == {"GET /x": 9}

    def test_the_newest_token_ends_the_hold_off_and_the_row_of_fresh_refusals(self) -> None:
        held = rules.Holdoff(1, 0.0, 60.0)
        account = replace(minted(an_account()), fresh=5, holdoff=held)
        account, events = accepted(account, 1, "GET /x", (), 5.0)
        assert (account.fresh, account.holdoff) == (0, None)
        assert events == (HoldoffEnded(1),)

    def test_an_older_token_ends_neither(self) -> None:
        held = rules.Holdoff(1, 0.0, 60.0)
        account = minted(minted(an_account(A0, A1)), A1)
        account, events = accepted(replace(account, fresh=5, holdoff=held), 1, "GET /x", (), 5.0)
        assert (account.fresh, account.holdoff) == (5, held)
        assert events == ()

    @pytest.mark.parametrize("change", [{"fresh": 1}, {"holdoff": rules.Holdoff(1, 0.0, 60.0)}])
    def test_either_of_them_is_worth_noting(self, change: dict[str, object]) -> None:
        account = minted(an_account(), seen_accepted=True)
        assert worth_noting(replace(account, **change), 1, "GET /x", ())  # type: ignore[arg-type]

    def test_the_acceptance_of_a_replayed_call_is_worth_noting(self) -> None:
        account = minted(minted(an_account(), seen_accepted=True), seen_accepted=True)
        assert worth_noting(account, 2, "GET /x", ((1, 4.0),))
        assert accepted(account, 2, "GET /x", ((1, 4.0),), 5.0) == (account, ())


class TestForeignMint:
    """Counted once, when the replacement is accepted and the death is proved and unexplained."""

    def replaced(self, *, is_explained: bool = False, confirmed: bool = False) -> Account:
        account = minted(minted(an_account(), seen_accepted=True))
        incident = Incident(1, A0, "GET /x", explained=is_explained, confirmed=confirmed)
        return replace(account, incident=incident)

    def test_the_same_call_refused_with_one_token_and_accepted_with_the_next_proves_it(
        self,
    ) -> None:
        account, events = accepted(self.replaced(), 2, "GET /x", ((1, 4.0),), 5.0)
        assert events == (ForeignMint(1, A0),)
        assert account.incident is None
        assert accepted(account, 2, "GET /x", ((1, 4.0),), 5.0)[1] == ()

    def test_a_refusal_after_our_own_mint_began_does_not_prove_it(self) -> None:
        account = self.replaced()
        assert account.incident is not None
        account = replace(account, incident=replace(account.incident, until=3.0))
        account, events = accepted(account, 2, "GET /x", ((1, 3.5),), 5.0)
        assert events == ()
        assert account.incident is not None
        assert accepted(account, 2, "GET /x", ((1, 3.0),), 5.0)[1] == (ForeignMint(1, A0),)

    def test_a_call_that_was_never_refused_does_not_prove_it(self) -> None:
        account, events = accepted(self.replaced(), 2, "GET /y", (), 5.0)
        assert events == ()
        assert account.incident is not None

    def test_a_probe_that_found_it_dead_does(self) -> None:
        _, events = accepted(self.replaced(confirmed=True), 2, "GET /y", (), 5.0)
        assert events == (ForeignMint(1, A0),)

    def test_it_waits_for_the_replacement_to_be_accepted(self) -> None:
        account = minted(an_account(), seen_accepted=True)
        incident = Incident(1, A0, "GET /x", explained=False, confirmed=True)
        account, events = accepted(
            replace(account, incident=incident), 1, "GET /x", ((1, 4.0),), 5.0
        )
        assert events == ()
        assert account.incident == incident

    def test_a_mint_of_our_own_that_explains_it_is_not_counted(self) -> None:
        account, events = accepted(self.replaced(is_explained=True), 2, "GET /x", ((1, 4.0),), 5.0)
        assert events == ()
        assert account.incident is None


class TestExplained:
    TOKEN = a_token(1, A0, at=100.0)
    LATER = 700.0

    def holding(self, **changes: object) -> Account:
        account = minted(an_account(A0, A1, B0), at=100.0)
        return replace(account, **changes)  # type: ignore[arg-type]

    def after_losing(self, slot: SlotId, at: float) -> Account:
        return self.holding(lost=MappingProxyType({slot: at}))

    def test_nothing_explains_it_by_itself(self) -> None:
        assert not explained(self.holding(), self.TOKEN, self.LATER)

    @pytest.mark.parametrize(("at", "slot"), [(100.25, A0), (150.0, A0), (150.0, A1)])
    def test_a_lost_mint_noted_after_it_was_issued_does(self, at: float, slot: SlotId) -> None:
        assert explained(self.after_losing(slot, at), self.TOKEN, self.LATER)

    @pytest.mark.parametrize(("at", "slot"), [(99.75, A0), (100.0, A0), (100.0, A1), (150.0, B0)])
    def test_a_lost_mint_noted_no_later_than_that_or_of_another_app_does_not(
        self, at: float, slot: SlotId
    ) -> None:
        assert not explained(self.after_losing(slot, at), self.TOKEN, self.LATER)

    @pytest.mark.parametrize("slot", [A0, A1])
    def test_a_lost_mint_noted_before_it_may_still_come_about_for_half_a_minute(
        self, slot: SlotId
    ) -> None:
        account = self.after_losing(slot, 99.5)
        assert explained(account, self.TOKEN, 129.25)
        assert not explained(account, self.TOKEN, 129.5)

    def test_one_of_another_app_never_does_however_recent(self) -> None:
        assert not explained(self.after_losing(B0, 99.5), self.TOKEN, 100.0)

    @pytest.mark.parametrize("now", [151.0, LATER])
    def test_a_lost_mint_in_a_slot_seen_apart_does_not(self, now: float) -> None:
        apart = MappingProxyType({pair(A0, A1): True})
        account = replace(self.after_losing(A1, 150.0), apart=apart)
        assert not explained(account, self.TOKEN, now)

    @pytest.mark.parametrize(("slot", "expected"), [(A0, True), (A1, True), (B0, False)])
    def test_a_mint_in_progress_in_a_slot_that_may_kill_it_does(
        self, slot: SlotId, *, expected: bool
    ) -> None:
        minting = Minting(slot, 150.0, "1", "replica", Cause.ROTATION)
        assert explained(self.holding(minting=minting), self.TOKEN, self.LATER) is expected

    @pytest.mark.parametrize(("slot", "expected"), [(A1, True), (B0, False)])
    def test_a_younger_token_of_a_slot_that_may_kill_it_does(
        self, slot: SlotId, *, expected: bool
    ) -> None:
        account = minted(self.holding(), slot, 150.0)
        assert explained(account, self.TOKEN, self.LATER) is expected

    def test_an_older_token_does_not(self) -> None:
        account = minted(minted(an_account(A0, A1), A1), at=100.0)
        assert account.active is not None
        assert not explained(account, account.active, self.LATER)


TestAccountMachine = AccountMachine.TestCase
