"""Zoom in memory, on the loop's time: a minter, a prober and an API for the token manager."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.core.errors import MintError, MintFailure
from gateway.core.secret import Secret
from gateway.core.token import Grant, SlotId
from gateway.ports import Probe


@dataclass
class _Issued:
    slot: SlotId
    issued_at: float
    expires_at: float
    alive: bool = True


@dataclass
class Zoom:
    """`mode`: `single`, `max:N` (per slot), `app-max:N` (per app), `multi`."""

    mode: str = "single"
    life: float = 3600.0
    latency: float = 0.01
    mint_latency: float = 0.05
    refuse_all: bool = False
    refuses: set[str] = field(default_factory=set)
    """Endpoints that refuse every token."""
    mint_error: Callable[[SlotId], MintError | None] = lambda _: None
    mints: list[tuple[float, SlotId]] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    calls: int = 0
    refusals: int = 0
    _tokens: dict[str, _Issued] = field(default_factory=dict)
    _serial: "itertools.count[int]" = field(default_factory=itertools.count)
    _probe_endpoints: dict[bytes, str] = field(
        default_factory=lambda: {b"/me": "GET /me", b"/users": "GET /users"}
    )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def mint(self, slot: SlotId) -> Grant:
        await asyncio.sleep(self.mint_latency / 2)
        error = self.mint_error(slot)
        if error is not None:
            raise error
        value = self.issue(slot)
        self.mints.append((self._now(), slot))
        await asyncio.sleep(self.mint_latency / 2)
        return Grant(Secret(value), self.life)

    def issue(self, slot: SlotId) -> str:
        """Mint at once; called directly it is a foreign mint."""
        value = f"token-{next(self._serial)}"
        self._tokens[value] = _Issued(slot, self._now(), self._now() + self.life)
        if self.mode != "multi":
            self._drop_oldest(slot)
        return value

    def _drop_oldest(self, slot: SlotId) -> None:
        rule, _, number = self.mode.partition(":")
        keep = int(number or 1)
        rivals = [
            token
            for token in self._tokens.values()
            if token.alive
            and token.slot.app == slot.app
            and (rule == "app-max" or token.slot == slot)
        ]
        for token in rivals[: max(0, len(rivals) - keep)]:
            token.alive = False

    def kill(self, slot: SlotId | None = None) -> None:
        for token in self._tokens.values():
            if slot is None or token.slot == slot:
                token.alive = False

    def accepts(self, token: Secret, endpoint: str) -> bool:
        self.calls += 1
        issued = self._tokens[token.reveal()]
        good = (
            issued.alive
            and self._now() < issued.expires_at
            and not self.refuse_all
            and endpoint not in self.refuses
        )
        self.refusals += not good
        return good

    async def call(self, token: Secret, endpoint: str) -> bool:
        """One round trip: True if accepted, False if refused."""
        await asyncio.sleep(self.latency / 2)
        good = self.accepts(token, endpoint)
        await asyncio.sleep(self.latency / 2)
        return good

    async def probe(self, probe: Probe) -> bool | None:
        self.probes.append(self._now())
        return await self.call(probe.token, self._probe_endpoints[probe.target])


def failure(kind: MintFailure, retry_after: float | None = None) -> MintError:
    return MintError(kind, f"the fake says {kind.value}", retry_after)
