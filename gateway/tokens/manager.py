"""The token manager of one account: what the proxy talks to."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway.core import course as rules
from gateway.core.account import (
    Account,
    Refusals,
    takes_previous_secret,
    worth_noting,
)
from gateway.core.backoff import OPERATOR_PAUSE
from gateway.core.course import Asked, Rest, next_step
from gateway.core.diagnosis import Chart, Diagnosis, diagnose
from gateway.core.document import Identities
from gateway.core.endpoint import Endpoint
from gateway.core.errors import (
    NEEDS_OPERATOR,
    MintFailure,
    StoreError,
    StoreUnavailableError,
)
from gateway.core.events import (
    Adopted,
    ForeignMint,
    Minted,
    MintFailed,
    StoreDown,
    StoreUp,
    TokenEvent,
)
from gateway.core.history import generation_of, newest
from gateway.core.judge import Finding, Refusal, Ruling
from gateway.core.slots import Phase
from gateway.core.token import SlotId, Token
from gateway.ports import Clock, Minter, Observer, Prober, TokenStore
from gateway.tokens import changes
from gateway.tokens.call import CallSession
from gateway.tokens.ledger import Ledger, LedgerParts
from gateway.tokens.minting import MintingParts, MintLoop
from gateway.tokens.probing import ProbeDesk, ProbeTarget
from gateway.tokens.proofs import Proofs
from gateway.tokens.waiting import WaitingRoom

FOREIGN_NEWS: Final = 3600.0
"""Seconds for which a foreign mint is shown as a problem of now."""

STORE_TIME: Final = 6.0
"""Seconds that a mint in progress may take beyond its own deadline, for the store."""

WATCH_PAUSE: Final = 1.0
"""Seconds between looks at the credentials while mints fail."""


def _new_tag() -> str:
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class ManagerParts:
    """All that a manager needs. Times in seconds."""

    account: str
    replica: str
    identities: Identities
    store: TokenStore
    minter: Minter
    prober: Prober
    observer: Observer
    clock: Clock
    chance: Callable[[], float]
    """In [0, 1)."""
    new_epoch: Callable[[], str]
    probe_targets: tuple[ProbeTarget, ...]
    defect: Callable[[Exception], None]
    """Told of an error of the gateway's own."""
    new_tag: Callable[[], str] = _new_tag
    """What makes the fence of a lease one of its kind."""
    credentials: Callable[[], str] = str
    """A fingerprint of the apps' credentials as they are now; files are read afresh."""
    rotate_at: float | None = None
    wait_timeout: float = 8.0
    mint_timeout: float = 4.0
    lease: float = 3.0
    mint_in_outage: bool = True
    """Whether to mint alone while the store does not answer."""


class TokenManager:
    """Implements `Tokens` and what `CallSession` asks for."""

    def __init__(self, parts: ManagerParts) -> None:
        self._parts = parts
        self.clock = parts.clock
        self.chance = parts.chance
        self.wait_timeout = parts.wait_timeout
        self.ledger = Ledger(
            LedgerParts(
                parts.account,
                parts.store,
                parts.identities,
                parts.clock,
                self._tell,
                parts.new_epoch,
                self._changed,
                parts.defect,
            )
        )
        self.desk = ProbeDesk(
            parts.prober, parts.clock, parts.probe_targets, lambda: self.ledger.account
        )
        self._loop = MintLoop(self._minting_parts())
        self.room = WaitingRoom(parts.clock, self.ledger.token, self.next_try)
        self._runner: asyncio.Task[None] | None = None
        self._errands: set[asyncio.Task[None]] = set()
        self._vindicated = 0
        self._mint_failed: dict[SlotId, tuple[float, MintFailed]] = {}
        """Slot: since when its mints fail, and the newest failure."""
        self._foreign: tuple[float, int] | None = None
        self._store_since: float | None = None
        self._seen = 0
        """The newest generation that was told of."""
        self._no_news: tuple[Account | None, Token | None] = (None, None)
        """A document and a token: that a call was accepted with it changes nothing."""
        self._proofs = Proofs()

    def _minting_parts(self) -> MintingParts:
        parts = self._parts
        return MintingParts(
            name=parts.account,
            replica=parts.replica,
            ledger=self.ledger,
            store=parts.store,
            minter=parts.minter,
            clock=parts.clock,
            chance=parts.chance,
            new_tag=parts.new_tag,
            rotate_at=parts.rotate_at,
            mint_timeout=parts.mint_timeout,
            lease=parts.lease,
            mint_in_outage=parts.mint_in_outage,
            alive=self._is_alive,
            rotated=self._compare,
            failed=self._doubt,
            defect=parts.defect,
        )

    # Life.

    def start(self) -> None:
        """Begin to mint. Call it inside the running loop."""
        self._runner = asyncio.create_task(self._run(), name=f"minter of {self._parts.account}")

    async def _run(self) -> None:
        try:
            await self.ledger.open()
            self.ledger.apply(rules.begun)
            if self._parts.rotate_at is None:
                self.ledger.apply(changes.replanned)
        except Exception as problem:  # noqa: BLE001  without a minter nothing works
            self._parts.defect(problem)
        self._spawn(self._watch_credentials())
        await self._loop.run()

    async def _watch_credentials(self) -> None:
        """While Zoom refuses the credentials, notice when they change, and try at once."""
        seen = self._parts.credentials()
        while True:
            change = self.ledger.changes()
            if not any(slot.failures for slot in self.ledger.account.slots):
                await change.wait()
                continue
            await asyncio.sleep(WATCH_PAUSE)
            if (found := self._parts.credentials()) != seen:
                seen = found
                self.ledger.apply(rules.begun)

    async def close(self) -> None:
        """Stop. A mint in progress is finished, and its token stored: it is never revoked."""
        self._loop.stop()
        if self._runner is not None:
            await asyncio.wait([self._runner], timeout=self._parts.mint_timeout + STORE_TIME)
            self._runner.cancel()
            await asyncio.wait([self._runner])
        for errand in self._errands:
            errand.cancel()
        if self._errands:
            await asyncio.wait(self._errands)
        await self.desk.close()
        await self.ledger.close()

    # What calls ask for.

    def call(self, endpoint: Endpoint) -> CallSession:
        return CallSession(self, endpoint)

    def judge(self, token: Token, refusal: Refusal) -> Ruling:
        """Decide on a refusal of `token`, and change the document accordingly."""
        account = self.ledger.view()
        judgement = changes.judge_for(token, refusal, account, self.clock.now())
        if judgement.account is account or judgement.account == account:
            for event in judgement.events:
                self._tell(event)
        else:
            self.ledger.apply(partial(changes.judged, token, refusal))
        return judgement.ruling

    async def verdict(self, token: Token, endpoint: str) -> Finding:
        return await self.desk.verdict(token, endpoint)

    def accepted(self, token: Token, endpoint: str, refused: Refusals, sent_at: float) -> None:
        self.desk.accepted(token, sent_at)
        account = self.ledger.account
        known_account, known_token = self._no_news
        if account is known_account and token is known_token and not refused:
            return
        generation = generation_of(account, token)
        if worth_noting(account, generation, endpoint, refused):
            news = self._proofs.news(account.epoch, token.value, refused)
            if news or worth_noting(account, generation, endpoint, ()):
                self.ledger.apply(partial(changes.accepted, token, endpoint, refused))
        elif not account.trials and not refused:
            self._no_news = account, token

    def next_try(self) -> float:
        """When the next attempt to get a token is."""
        account, now = self.ledger.view(), self.clock.now()
        if self.ledger.standing.shut_out:
            return now + OPERATOR_PAUSE  # nothing is minted over what cannot be read
        if self._loop.minting and self._loop.not_before <= now:
            return now
        step = next_step(account, self._loop.course(), now)
        return step.until if isinstance(step, Rest) else max(now, self._loop.not_before)

    def lack(self) -> str:
        """Why there is no token, as a sentence."""
        worst = self.diagnoses()
        return worst[0].sentence if worst else "No token came in time."

    def request(self) -> Asked:
        """An operator wants a new token: a mint is due at once, unless one is on its way."""
        asked_at = self.clock.now()
        began = not (self._loop.minting or rules.under_way(self.ledger.view(), asked_at))
        if began:
            self.ledger.apply(partial(changes.requested, self.ledger.account.generation))
        # Not the moment of before: the mint is due since a bit later.
        now = self.clock.now()
        step = next_step(self.ledger.view(), self._loop.course(), now)
        wait = max(0.0, step.until - now) if isinstance(step, Rest) else 0.0
        return Asked(began, wait, self.ledger.standing.problem is not None)

    # What the manager does on its own account.

    def _changed(self) -> None:
        self.room.changed()
        self.desk.account_changed()
        account = self.ledger.account
        if account.generation == self._seen:
            return
        self._seen = account.generation
        token = newest(account)
        if token is not None and token.minter != self._parts.replica:
            self._tell(Adopted(token.slot, token.cause, token.generation, token.minter))

    async def _is_alive(self, token: Token) -> bool:
        return await self.desk.verdict(token, "") is Finding.ALIVE

    def _compare(self, former: Token, fresh: Token) -> None:
        """Does the former token live on beside the one just minted in another slot?"""
        self._spawn(self._compare_now(former, fresh.slot))

    async def _compare_now(self, former: Token, newer: SlotId) -> None:
        finding = await self.desk.verdict(former, "")
        if finding in (Finding.ALIVE, Finding.DEAD):
            alive = finding is Finding.ALIVE
            self.ledger.apply(
                lambda account, _: rules.relate(account, former.slot, newer, alive=alive)
            )

    def _doubt(self) -> None:
        """No mint is to be had: is the token that was set aside dead at all?"""
        account = self.ledger.view()
        if account.active is not None:
            return
        aside = [slot.token for slot in account.slots if slot.phase is Phase.ASIDE and slot.token]
        newest = max(aside, key=lambda token: token.generation, default=None)
        if newest is None or newest.generation == self._vindicated:
            return
        if newest.usable(self.clock.now()):
            self._vindicated = newest.generation
            self._spawn(self._vindicate(newest))

    async def _vindicate(self, token: Token) -> None:
        endpoint = self.ledger.account.due.endpoint if self.ledger.account.due else ""
        finding = await self.desk.verdict(token, endpoint)
        if finding is not Finding.DEAD:
            self._vindicated = 0  # it may be refused, and doubted, again
        self.ledger.apply(partial(changes.vindicated, token.generation, finding))

    def _spawn(self, errand: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errand_ended)

    def _errand_ended(self, task: "asyncio.Task[None]") -> None:
        self._errands.discard(task)
        problem = None if task.cancelled() else task.exception()
        if isinstance(problem, Exception):
            self._parts.defect(problem)

    # What people are told.

    def _tell(self, event: TokenEvent) -> None:
        now = self.clock.now()
        if isinstance(event, Minted):
            self._mint_failed = {
                slot: failed
                for slot, failed in self._mint_failed.items()
                if slot != event.slot and failed[1].failure in NEEDS_OPERATOR
            }
        elif isinstance(event, MintFailed) and event.failure is not MintFailure.INVALID_INDEX:
            # The newest is the last.
            since = self._mint_failed.pop(event.slot, (now, event))[0]
            self._mint_failed[event.slot] = (since, event)
        elif isinstance(event, ForeignMint):
            self._foreign = (now, (self._foreign[1] if self._foreign else 0) + 1)
        elif isinstance(event, StoreDown):
            self._store_since = now if self._store_since is None else self._store_since
        elif isinstance(event, StoreUp):
            self._store_since = None
        self._parts.observer.token_event(self._parts.account, event)

    @property
    def name(self) -> str:
        return self._parts.account

    def scope(self) -> str:
        """The managed token's scope, as Zoom sent it; empty while there is none."""
        token = self.ledger.token()
        return token.scope if token else ""

    @property
    def generation(self) -> int:
        """Of the token that new calls get; 0 while there is none."""
        token = self.ledger.token()
        return token.generation if token else 0

    @property
    def tried(self) -> bool:
        """A mint was tried, or a token found."""
        return self._loop.tried

    @property
    def served(self) -> bool:
        """There was a token for calls once."""
        return self._loop.served

    def store_failed(self, problem: StoreError) -> None:
        """The store took no heartbeat, so it would take no token either."""
        if isinstance(problem, StoreUnavailableError):
            self.ledger.store_failed(problem)

    def chart(self) -> Chart:
        foreign = self._foreign
        now = self.clock.now()
        if foreign is not None and now - foreign[0] > FOREIGN_NEWS:
            foreign = None
        account = self.ledger.view()
        return Chart(
            account=account,
            now=now,
            mint_failed=self._newest_failure(),
            foreign_mint=foreign,
            previous_secret=takes_previous_secret(account),
            store_problem=str(self.ledger.standing.problem or ""),
            store_since=self._store_since,
        )

    def _newest_failure(self) -> tuple[float, MintFailed] | None:
        """With since when mints fail like that. The document knows if another replica cured it."""
        failing = {slot.id for slot in self.ledger.view().slots if slot.failures}
        known = [one for slot, one in self._mint_failed.items() if slot in failing]
        if not known:
            return None
        newest = known[-1][1]
        return min(since for since, one in known if one.failure is newest.failure), newest

    def diagnoses(self) -> list[Diagnosis]:
        return diagnose(self.chart())
