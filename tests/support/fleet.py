"""A fleet of real gateway processes that share a store, each reached through a proxy of its own."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.support.load import metric, state
from tests.support.processes import (
    DEADLINE,
    Gateway,
    credentials,
    environment,
    eventually,
)
from tests.support.redis_server import RedisServer
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

LEASE = 3.0
"""Seconds: `store.lease` as it is by default."""

KEY = "zoom-gateway:{default}"
"""The account's hash in Redis."""

POLL = 0.05
"""Seconds between looks: a page of metrics takes a replica some milliseconds."""

QUIET = frozenset({"call"})
"""Events that are left out of the tale: one for each call."""


class Fleet:
    """Replicas by their numbers, from 0. `out` are those that were killed or paused."""

    def __init__(
        self, sim: str, client: aiohttp.ClientSession, env: dict[str, str], *options: str
    ) -> None:
        self.sim = sim
        self.client = client
        self.gates: list[Gateway] = []
        self.links: list[TcpProxy] = []
        """The way of each replica to the store."""
        self.out: set[int] = set()
        self.blows: list[tuple[int, float]] = []
        """Which replica was killed or paused, and when: its calls in flight are excused."""
        self.extra: list[dict[str, str]] = []
        """Variables of single replicas."""
        self._env = env
        self._options = options
        self._gone: list[Gateway] = []

    @property
    def up(self) -> list[int]:
        return [number for number in range(len(self.gates)) if number not in self.out]

    # Life.

    async def start(self) -> None:
        """All replicas at once."""
        for number in range(len(self.extra)):
            self.gates.append(await self._spawn(number))
        await asyncio.gather(*(gate.listening() for gate in self.gates))

    async def _spawn(self, number: int) -> Gateway:
        child = await Gateway.start(
            "serve", *self._options, env={**self._env, **self.extra[number]}
        )
        assert isinstance(child, Gateway)
        return child

    async def restart(self, number: int) -> None:
        """Another process in the place of one that was killed, or that is about to go."""
        fresh = await self._spawn(number)
        self._gone.append(self.gates[number])
        self.gates[number] = fresh
        await fresh.listening()
        await self.ready([number])
        self.out.discard(number)

    def take_out(self, number: int) -> None:
        """A load balancer would do that: no new call goes there."""
        self.out.add(number)
        self.blows.append((number, time.monotonic()))

    async def kill(self, number: int) -> None:
        self.take_out(number)
        await self.gates[number].kill()

    def pause(self, number: int) -> None:
        self.take_out(number)
        self.gates[number].signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        self.gates[number].signal(signal.SIGCONT)

    async def close(self) -> None:
        for gate in (*self._gone, *self.gates):
            if gate.child.returncode is None:
                gate.signal(signal.SIGCONT)
            await gate.kill()

    # What they say.

    async def ready(self, among: Iterable[int] | None = None) -> None:
        """Wait until `/readyz` answers 200."""
        for number in self.up if among is None else among:
            await self.holds(partial(self.readyz, number), lambda seen: seen[0] == 200, "ready")

    async def readyz(self, number: int) -> tuple[int, dict[str, Any]]:
        async with self.client.get(f"{self.gates[number].admin}/readyz") as answer:
            return answer.status, await answer.json()

    async def status(self, number: int) -> dict[str, Any]:
        """The account as that replica sees it."""
        async with self.client.get(f"{self.gates[number].admin}/status.json") as answer:
            found: dict[str, Any] = (await answer.json())["accounts"][0]
            return found

    async def active(self, number: int) -> dict[str, Any]:
        """The active token as that replica sees it; empty while there is none."""
        slots = (await self.status(number))["slots"]
        token: dict[str, Any] = next(
            (slot["token"] for slot in slots if slot["phase"] == "active"), {}
        )
        return token

    async def generations(self, among: Iterable[int] | None = None) -> list[int | None]:
        looked = [self.status(number) for number in (self.up if among is None else among)]
        return [one["generation"] for one in await asyncio.gather(*looked)]

    async def metric(self, name: str, among: Iterable[int] | None = None) -> list[float]:
        """Its sum over the labels, by replica; without the prefix."""
        chosen = self.up if among is None else among
        looked = [metric(self.client, self.gates[n].admin, f"zoom_gateway_{name}") for n in chosen]
        return [sum(one.values()) for one in await asyncio.gather(*looked)]

    async def store_up(self, value: float, among: Iterable[int] | None = None) -> float:
        """Wait until `store_up` is `value` on each; give when that was."""
        chosen = list(self.up if among is None else among)
        await self.holds(
            lambda: self.metric("store_up", chosen),
            lambda seen: set(seen) == {value},
            f"store_up {value:g} on {chosen}",
        )
        return time.monotonic()

    async def sim_state(self) -> dict[str, Any]:
        found: dict[str, Any] = await state(self.client, self.sim)
        return found

    async def mints(self) -> int:
        total: int = (await self.sim_state())["mints"]["total"]
        return total

    async def holds(
        self,
        look: Callable[[], Any],
        good: Callable[[Any], bool],
        what: str,
        seconds: float = DEADLINE,
    ) -> Any:
        """Poll `look` until what it gives is good, and give that."""
        end = time.monotonic() + seconds
        while not good(seen := await look()):
            assert time.monotonic() < end, (
                f"not within {seconds:g} s: {what}; {seen}\n{self.tale()}"
            )
            await asyncio.sleep(POLL)
        return seen

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines of one event, of all replicas that there ever were."""
        return [line for gate in (*self._gone, *self.gates) for line in gate.logged(event)]

    def tale(self) -> str:
        """What the replicas logged, without their calls."""
        told = []
        for number, gate in [*((-1, gate) for gate in self._gone), *enumerate(self.gates)]:
            for line in gate.lines:
                try:
                    entry = json.loads(line)
                except ValueError:
                    entry = {"timestamp": "", "event": "output", "message": line}
                if entry.get("event") not in QUIET:
                    who = "gone" if number < 0 else str(number)
                    told.append(
                        f"{entry['timestamp'][11:23]} [{who}] {entry['event']}:"
                        f" {entry.get('message', '')} {entry.get('place', '')}"
                    )
        return "\n".join(sorted(told)[-80:])

    # Whose turn it is.

    async def holder(self, redis: RedisServer) -> int:
        """The replica that holds the lease, as Redis has it. Waits for one."""

        def look() -> list[int]:
            owner = redis.command("HGET", KEY, "lease_owner").decode(errors="replace")
            return [
                number
                for number, gate in enumerate(self.gates)
                if f"-{gate.child.pid}-" in owner and number not in self.out
            ]

        (number,) = await eventually(look, "a replica holds the lease")
        assert isinstance(number, int)
        return number


@asynccontextmanager
async def fleet(
    client: aiohttp.ClientSession,
    sim: str,
    store: str,
    extra: list[dict[str, str]],
    *options: str,
    **variables: str,
) -> AsyncIterator[Fleet]:
    """As many replicas as `extra` has members, started at once, with a way each to the store.

    `options` are those of `serve`. `store` is a URL; in one of Redis the port is replaced by that
    of the replica's own proxy.
    """
    env = environment(**{**credentials(sim), **variables})
    made = Fleet(sim, client, env, *options)
    async with AsyncExitStack() as stack:
        for one in extra:
            made.extra.append({**await _way(stack, made, store), **one})
        try:
            await made.start()
            yield made
        finally:
            await made.close()


async def _way(stack: AsyncExitStack, made: Fleet, store: str) -> dict[str, str]:
    parts = urlsplit(store)
    if parts.scheme == "redis":
        link = await stack.enter_async_context(tcp_proxy(parts.hostname or "", parts.port or 6379))
        made.links.append(link)
        store = parts._replace(netloc=f"127.0.0.1:{link.port}").geturl()
    return {"ZOOM_GATEWAY_STORE__URL": store}


TWO_SLOTS = {
    "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS": json.dumps(
        [{"name": "default", "client_id": "demo-client", "token_indexes": [0, 1]}]
    )
}
