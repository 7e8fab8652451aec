"""An account as its replicas drive it, for Hypothesis to drive any way it likes."""

import math
from dataclasses import replace
from types import MappingProxyType

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from gateway.core.account import (
    VERDICT_TIME,
    Account,
    Due,
    Minting,
    accepted,
    advance,
    empty,
    linked,
    token_phase,
)
from gateway.core.backoff import RETRY_AFTER_CAP, Budget
from gateway.core.course import (
    ASKED_PAUSE,
    Course,
    Mint,
    Publication,
    Rest,
    abandon,
    begin,
    failed,
    lost,
    next_step,
    publish,
    relate,
    request,
    under_way,
)
from gateway.core.document import clamp, decode, encode
from gateway.core.errors import MintFailure
from gateway.core.events import ForeignMint, LostMint, TokenEvent
from gateway.core.judge import Finding, Judgement, Refusal, Ruling, judge, vindicate
from gateway.core.secret import Secret
from gateway.core.slots import Phase
from gateway.core.token import Cause, Grant, SlotId
from tests.core.strategies import (
    alike,
    an_account,
    jitters,
    lifetimes,
    mint_error,
    short_waits,
    slot_lists,
)

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
            asked = MappingProxyType({**before.asked, endpoint: self.now + VERDICT_TIME})
            assert judgement == Judgement(replace(before, asked=asked), Ruling.PROBE)
            self.set(judgement.account)
            before = judgement.account
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
            assert after.due is not None
            began = after.holdoff is not None and after.holdoff != before.holdoff
            if after.holdoff is not None and began:
                assert after.active.accepted_at is not None
                assert after.due.at == after.holdoff.until
                assert after.fresh == before.fresh + 1

    @rule(
        back=st.integers(0, 3),
        endpoint=ENDPOINTS,
        refused=st.lists(st.integers(0, 3), max_size=2),
    )
    def a_call_is_accepted(self, back: int, endpoint: str, refused: list[int]) -> None:
        newest = self.account.generation
        account, events = accepted(
            self.account,
            newest - back,
            endpoint,
            tuple((newest - n, self.now) for n in refused),
            self.now,
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
        others = [other for other in self.account.slots if not other.barred]
        assert not slot.barred or all(other.failures for other in others)
        assert slot.retry_at <= self.now
        left_over, drawn = self.account.minting, self.account.budget.filled(self.now).level
        self.fence += 1
        note = Minting(step.slot, self.now, str(self.fence), "replica", step.cause)
        account, events = begin(self.account, note, self.now)
        assert account.minting == note
        assert len(events) == (left_over is not None)
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
        retry_after=st.sampled_from([None, 5.0, 86_400.0]),
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
        account, events = abandon(self.account)
        assert account.minting is None
        assert len(events) == (self.account.minting is not None)
        self.mint = None
        self.set(account)

    @rule(slot=st.integers(0, 3), back=st.integers(0, 2))
    def a_mint_comes_too_late_to_be_published(self, slot: int, back: int) -> None:
        before, ids = self.account, [slot.id for slot in self.account.slots]
        late = Minting(ids[slot % len(ids)], self.now, str(self.fence - back), "late", Cause.EXPIRY)
        account, events = lost(before, late, self.now)
        assert events == (LostMint(late.slot),)
        assert account.lost[late.slot] == self.now
        own = before.minting is not None and before.minting.fence == late.fence
        assert account.minting == (None if own else before.minting)
        assert account.slots == before.slots
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
        before = self.account
        account = request(before, self.now)
        blamed = before.due.endpoint if before.due else ""
        assert account.due is not None
        at = account.due.at
        assert account == replace(before, due=Due(Cause.REQUEST, at, blamed))
        assert self.now <= at <= self.now + ASKED_PAUSE
        assert under_way(account, at)
        step = next_step(account, Course(), at)
        # Neither the budget nor a hold-off keeps it back: only mints that failed do.
        if isinstance(step, Mint):
            assert step.cause in (Cause.REQUEST, Cause.ROTATION)
        else:
            assert any(slot.retry_at > at for slot in account.slots)
        self.set(account)

    @rule(seconds=short_waits)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.set(self.account)

    @rule()
    def the_minter_rests_as_long_as_it_said(self) -> None:
        step = self.step()
        if isinstance(step, Rest):
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
    def a_rest_ends_and_later_than_now(self) -> None:
        step = self.step()
        assert isinstance(step, Mint) or self.now < step.until < math.inf

    @invariant()
    def without_a_token_somebody_mints_or_will_soon(self) -> None:
        step = self.step()
        if isinstance(step, Rest) and self.account.active is None:
            assert step.until <= self.now + RETRY_AFTER_CAP

    @invariant()
    def while_a_hold_off_runs_no_younger_refusal_makes_a_mint_due_before_its_end(self) -> None:
        held, due, token = self.account.holdoff, self.account.due, self.account.active
        running = held is not None and self.now < held.until
        if held and running and token and token.accepted_at is None and due:
            assert due.cause is Cause.REQUEST or due.at <= held.since or due.at >= held.until

    @invariant()
    def nothing_is_put_off_beyond_measure_while_the_clock_is_in_order(self) -> None:
        assert clamp(self.account, self.now) == self.account

    @invariant()
    def the_document_says_it_all(self) -> None:
        identities = {slot.id: IDENTITY for slot in self.account.slots}
        for delta in (0.0, -1_000_000.25, 1_700_000_000.5):
            stored = encode(self.account, identities, delta)
            assert alike(decode(stored, identities, -delta), self.account)
