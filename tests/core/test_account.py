"""The account: what time and accepted calls change, what explains a death, and all at once."""

from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from gateway.core import account as rules
from gateway.core import slots as machine
from gateway.core.account import (
    Account,
    Due,
    Incident,
    Minting,
    accepted,
    advance,
    alternatives,
    empty,
    explained,
    linked,
    may_kill,
    token_phase,
    worth_noting,
)
from gateway.core.backoff import Budget
from gateway.core.course import (
    Course,
    Mint,
    Publication,
    Rest,
    abandon,
    begin,
    failed,
    next_step,
    publish,
    relate,
    request,
)
from gateway.core.document import decode, encode
from gateway.core.errors import MintFailure
from gateway.core.events import ForeignMint, HoldoffEnded, TokenEvent
from gateway.core.judge import Finding, Judgement, Refusal, Ruling, judge, vindicate
from gateway.core.secret import Secret
from gateway.core.slots import Phase, Slot
from gateway.core.token import Cause, Grant, SlotId
from tests.core.strategies import (
    A0,
    A1,
    A2,
    B0,
    a_token,
    alike,
    an_account,
    jitters,
    lifetimes,
    mint_error,
    minted,
    short_waits,
    slot_lists,
)


def pair(one: SlotId, other: SlotId) -> frozenset[SlotId]:
    return frozenset((one, other))


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
        assert not worth_noting(account, 1, "GET /x", (1,))
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
        assert worth_noting(account, 2, "GET /x", (1,))
        assert accepted(account, 2, "GET /x", (1,), 5.0) == (account, ())


class TestForeignMint:
    """Counted once, when the replacement is accepted and the death is proved and unexplained."""

    def replaced(self, *, is_explained: bool = False, confirmed: bool = False) -> Account:
        account = minted(minted(an_account(), seen_accepted=True))
        incident = Incident(1, A0, "GET /x", explained=is_explained, confirmed=confirmed)
        return replace(account, incident=incident)

    def test_the_same_call_refused_with_one_token_and_accepted_with_the_next_proves_it(
        self,
    ) -> None:
        account, events = accepted(self.replaced(), 2, "GET /x", (1,), 5.0)
        assert events == (ForeignMint(1, A0),)
        assert account.incident is None
        assert accepted(account, 2, "GET /x", (1,), 5.0)[1] == ()

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
        account, events = accepted(replace(account, incident=incident), 1, "GET /x", (1,), 5.0)
        assert events == ()
        assert account.incident == incident

    def test_a_mint_of_our_own_that_explains_it_is_not_counted(self) -> None:
        account, events = accepted(self.replaced(is_explained=True), 2, "GET /x", (1,), 5.0)
        assert events == ()
        assert account.incident is None


class TestExplained:
    TOKEN = a_token(1, A0, at=100.0)

    def holding(self, **changes: object) -> Account:
        account = minted(an_account(A0, A1, B0), at=100.0)
        return replace(account, **changes)  # type: ignore[arg-type]

    def test_nothing_explains_it_by_itself(self) -> None:
        assert not explained(self.holding(), self.TOKEN)

    @pytest.mark.parametrize(("at", "slot"), [(100.0, A0), (150.0, A0), (150.0, A1)])
    def test_a_lost_mint_since_it_was_issued_does(self, at: float, slot: SlotId) -> None:
        assert explained(self.holding(lost=MappingProxyType({slot: at})), self.TOKEN)

    @pytest.mark.parametrize(("at", "slot"), [(99.75, A0), (150.0, B0)])
    def test_a_lost_mint_before_it_or_of_another_app_does_not(
        self, at: float, slot: SlotId
    ) -> None:
        assert not explained(self.holding(lost=MappingProxyType({slot: at})), self.TOKEN)

    def test_a_lost_mint_in_a_slot_seen_apart_does_not(self) -> None:
        account = self.holding(
            lost=MappingProxyType({A1: 150.0}), apart=MappingProxyType({pair(A0, A1): True})
        )
        assert not explained(account, self.TOKEN)

    @pytest.mark.parametrize(("slot", "expected"), [(A0, True), (A1, True), (B0, False)])
    def test_a_mint_in_progress_in_a_slot_that_may_kill_it_does(
        self, slot: SlotId, *, expected: bool
    ) -> None:
        minting = Minting(slot, 150.0, 1, "replica", Cause.ROTATION)
        assert explained(self.holding(minting=minting), self.TOKEN) is expected

    @pytest.mark.parametrize(("slot", "expected"), [(A1, True), (B0, False)])
    def test_a_younger_token_of_a_slot_that_may_kill_it_does(
        self, slot: SlotId, *, expected: bool
    ) -> None:
        account = minted(self.holding(), slot, 150.0)
        assert explained(account, self.TOKEN) is expected

    def test_an_older_token_does_not(self) -> None:
        account = minted(minted(an_account(A0, A1), A1), at=100.0)
        assert account.active is not None
        assert not explained(account, account.active)


ENDPOINTS = st.sampled_from(["GET /x", "GET /y"])
IDENTITY = "fingerprint"


class AccountMachine(RuleBasedStateMachine):
    """An account as its replicas drive it: any events in any order, time moving forward."""

    def __init__(self) -> None:
        super().__init__()
        self.account = an_account()
        self.now = 0.0
        self.mint: Mint | None = None
        """In progress."""
        self.fence = 0

    @initialize(slots=slot_lists, now=st.sampled_from([0.0, 1_000_000.0]))
    def start(self, slots: tuple[SlotId, ...], now: float) -> None:
        self.now = now
        self.account = empty("epoch", slots, now)

    def set(self, account: Account) -> None:
        self.account = advance(account, self.now)

    def step(self, jitter: float = 0.0) -> Mint | Rest:
        return next_step(self.account, Course(jitter=jitter), self.now)

    # What happens.

    @rule(
        back=st.integers(0, 3),
        endpoint=ENDPOINTS,
        second=st.booleans(),
        finding=st.sampled_from(Finding),
        jitter=jitters,
    )
    def a_call_is_refused(
        self, back: int, endpoint: str, finding: Finding, jitter: float, *, second: bool
    ) -> None:
        before = self.account
        refusal = Refusal(before.generation - back, endpoint, second, jitter=jitter)
        judgement = judge(before, refusal, self.now)
        if judgement.ruling is Ruling.PROBE:
            assert judgement == Judgement(before, Ruling.PROBE)
            judgement = judge(before, replace(refusal, finding=finding), self.now)
        self.check_refusal(before, judgement, refusal)
        self.set(judgement.account)

    def check_refusal(self, before: Account, judgement: Judgement, refusal: Refusal) -> None:
        token, after = before.active, judgement.account
        assert after.generation == before.generation
        if token is None or token.generation != refusal.generation:
            assert after.due == before.due
            assert after.active == token
            return
        held = before.holdoff
        if held and self.now < held.until and token.accepted_at is None:
            assert (after, judgement.ruling) == (before, Ruling.PASS)
        if judgement.ruling is Ruling.PASS:
            assert after.due == before.due
            assert after.usable(self.now) is not None
            assert token_phase(after, token.generation) is Phase.ACTIVE
        if judgement.ruling is Ruling.RETRY:
            assert after.active is not None
            assert after.active.generation != refusal.generation

    @rule(
        back=st.integers(0, 3),
        endpoint=ENDPOINTS,
        refused=st.lists(st.integers(0, 3), max_size=2),
    )
    def a_call_is_accepted(self, back: int, endpoint: str, refused: list[int]) -> None:
        newest = self.account.generation
        account, events = accepted(
            self.account, newest - back, endpoint, tuple(newest - n for n in refused), self.now
        )
        assert account.active is None or self.account.active is not None
        if back == 0 and token_phase(account, newest) is not Phase.EMPTY:
            assert (account.fresh, account.holdoff) == (0, None)
        else:
            assert account.holdoff == self.account.holdoff
        self.check_foreign(events)
        self.set(account)

    def check_foreign(self, events: tuple[TokenEvent, ...]) -> None:
        told = [event for event in events if isinstance(event, ForeignMint)]
        assert len(told) <= 1
        incident = self.account.incident
        if told:
            assert incident is not None
            assert not incident.explained

    @rule(jitter=jitters)
    def the_minter_looks(self, jitter: float) -> None:
        step = self.step(jitter)
        if isinstance(step, Rest):
            return
        slot = next(slot for slot in self.account.slots if slot.id == step.slot)
        assert not slot.barred
        assert slot.retry_at <= self.now
        lost, drawn = self.account.minting, self.account.budget.filled(self.now).level
        self.fence += 1
        note = Minting(step.slot, self.now, self.fence, "replica", step.cause)
        account, events = begin(self.account, note, self.now)
        assert account.minting == note
        assert len(events) == (lost is not None)
        left = account.budget.filled(self.now).level
        assert left == drawn - (step.cause is Cause.REFUSAL)
        self.mint = step
        self.set(account)

    @precondition(lambda self: self.mint)
    @rule(life=lifetimes)
    def the_mint_succeeds(self, life: float) -> None:
        assert self.mint is not None
        before, grant = self.account, Grant(Secret("value"), life)
        news = Publication(grant, self.mint.slot, self.mint.cause, "replica", self.now)
        account, _ = publish(before, news, Course(), self.now)
        assert account.generation == before.generation + 1
        assert account.active is not None
        assert account.active.generation == account.generation
        assert (account.due, account.minting) == (None, None)
        self.mint = None
        self.set(account)

    @precondition(lambda self: self.mint)
    @rule(
        failure=st.sampled_from(MintFailure),
        retry_after=st.sampled_from([None, 5.0]),
        jitter=jitters,
    )
    def the_mint_fails(
        self, failure: MintFailure, retry_after: float | None, jitter: float
    ) -> None:
        assert self.mint is not None
        before = self.account
        error = mint_error(failure, retry_after)
        account, _ = failed(before, self.mint, error, jitter, self.now)
        assert account.active == before.active
        assert account.generation == before.generation
        assert account.minting is None
        step = next_step(account, Course(), self.now)
        assert not isinstance(step, Mint) or step.slot != self.mint.slot
        self.mint = None
        self.set(account)

    @precondition(lambda self: self.mint)
    @rule()
    def the_minter_dies(self) -> None:
        """Its note stays until somebody else begins."""
        self.mint = None

    @rule()
    def a_mint_is_abandoned(self) -> None:
        account, events = abandon(self.account, self.now)
        assert account.minting is None
        assert len(events) == (self.account.minting is not None)
        self.mint = None
        self.set(account)

    @rule(older=st.integers(0, 3), newer=st.integers(0, 3), alive=st.booleans())
    def a_probe_compares_two_slots(self, older: int, newer: int, *, alive: bool) -> None:
        ids = [slot.id for slot in self.account.slots]
        one, other = ids[older % len(ids)], ids[newer % len(ids)]
        if one != other and one.app == other.app:
            account, _ = relate(self.account, one, other, alive=alive)
            assert linked(account, one, other) is not alive
            self.set(account)

    @rule(back=st.integers(0, 3), finding=st.sampled_from(Finding))
    def a_probe_asks_about_a_token_set_aside(self, back: int, finding: Finding) -> None:
        account, _ = vindicate(self.account, self.account.generation - back, finding, self.now)
        if account.slots != self.account.slots:
            assert finding is Finding.ALIVE
            assert self.account.active is None
        self.set(account)

    @rule()
    def an_operator_asks_for_a_token(self) -> None:
        account = request(self.account, self.now)
        assert account.due == Due(Cause.REQUEST, self.now)
        self.set(account)

    @rule(seconds=short_waits)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.set(self.account)

    @rule()
    def the_minter_rests_as_long_as_it_said(self) -> None:
        step = self.step()
        if isinstance(step, Rest) and step.until is not None:
            self.now = max(self.now, step.until)
            self.set(self.account)

    # What always holds.

    @invariant()
    def at_most_one_token_is_active_and_it_is_usable(self) -> None:
        holders = [slot for slot in self.account.slots if slot.phase is Phase.ACTIVE]
        assert len(holders) <= 1
        assert self.account.usable(self.now) == self.account.active

    @invariant()
    def no_generation_is_younger_than_the_newest_or_held_twice(self) -> None:
        held = [slot.token.generation for slot in self.account.slots if slot.token]
        assert len(set(held)) == len(held)
        assert max(held, default=0) <= self.account.generation

    @invariant()
    def the_budget_stays_within_its_bounds(self) -> None:
        assert 0.0 <= self.account.budget.filled(self.now).level <= Budget.BURST

    @invariant()
    def a_rest_ends_later_than_now(self) -> None:
        step = self.step()
        assert isinstance(step, Mint) or step.until is None or step.until > self.now

    @invariant()
    def without_a_token_somebody_mints_or_knows_when(self) -> None:
        step = self.step()
        if isinstance(step, Rest) and step.until is None:
            assert all(slot.barred for slot in self.account.slots)

    @invariant()
    def while_a_hold_off_runs_no_younger_refusal_makes_a_mint_due(self) -> None:
        held, due, token = self.account.holdoff, self.account.due, self.account.active
        running = held is not None and self.now < held.until
        if held and running and token and token.accepted_at is None and due:
            assert due.cause is Cause.REQUEST or due.at <= held.since

    @invariant()
    def the_document_says_it_all(self) -> None:
        identities = {slot.id: IDENTITY for slot in self.account.slots}
        for delta in (0.0, -1_000_000.25, 1_700_000_000.5):
            stored = encode(self.account, identities, delta)
            assert alike(decode(stored, identities, -delta), self.account)


TestAccountMachine = AccountMachine.TestCase
