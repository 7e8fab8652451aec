"""Calls that wait for their turn within Zoom's rate limits, and what becomes of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from gateway.core.endpoint import Endpoint
from gateway.core.errors import PacedError, StoreError, StoreUnavailableError
from gateway.core.plans import PLANS, Limit, Plan, daily
from gateway.core.rate_book import DAY, PERIOD, Ask
from gateway.core.ratelimit import Kind, Limited
from gateway.ports import Clock, RateStore, Reserved
from gateway.reports import CallReport
from gateway.stores.rates import MemoryRates
from gateway.web.accounts import AccountContext
from gateway.web.pacing import CLOSED, LEARNED, PaceHooks, PaceParts, Pacer
from tests.support.listening import listening
from tests.support.raw_http import request
from tests.support.scripted_tokens import ScriptedTokens
from tests.support.scripted_upstream import Reply, ScriptedUpstream
from tests.support.virtual_time import VirtualClock, virtual

LIGHT = Endpoint("GET", "/v2/users/{userId}", "GET /v2/users/{userId}", "light", "users")
UNKNOWN = Endpoint("GET", "/v2/x", "GET /v2/x", None, "")
HEAVY = Endpoint("GET", "/v2/y", "GET /v2/y", "heavy", "")


class Rates:
    """Implements `RateStore`: one in memory, which may be away, or hang."""

    def __init__(self, clock: Clock) -> None:
        self.inner = MemoryRates(clock)
        self.down = False
        self.hangs = False
        self.asked: list[tuple[float, Mapping[str, Ask]]] = []

    async def reserve(self, account: str, replica: str, asks: Mapping[str, Ask]) -> Reserved:
        self.asked.append((asyncio.get_running_loop().time(), asks))
        if self.down:
            raise StoreUnavailableError("away")
        if self.hangs:
            await asyncio.Event().wait()
        return await self.inner.reserve(account, replica, asks)

    async def close(self) -> None: ...


@dataclass
class Told:
    waited: list[tuple[str, str, float]] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    used: list[tuple[str, str, float]] = field(default_factory=list)
    failed: list[StoreError] = field(default_factory=list)
    defects: list[BaseException] = field(default_factory=list)

    def hooks(self) -> PaceHooks:
        return PaceHooks(
            lambda *told: self.waited.append(told),
            lambda *told: self.refused.append(told),
            lambda *told: self.used.append(told),
            self.failed.append,
            self.defects.append,
        )


class Replica:
    """A pacer, and those that call through it."""

    def __init__(self, plan: Plan, rates: RateStore, clock: Clock, place: tuple[int, int]) -> None:
        self.told = Told()
        self.clock = clock
        parts = PaceParts(
            "acc",
            f"replica-{place[0]}",
            plan,
            5.0,
            rates,
            clock,
            lambda: place,
            self.told.hooks(),
        )
        self.pacer = Pacer(parts)
        self.departed: list[tuple[float, str]] = []

    async def call(self, caller: str = "a", endpoint: Endpoint = LIGHT) -> float:
        """Give the seconds that it waited. Raises PacedError."""
        report = CallReport("", caller, "acc", "GET", endpoint.route)
        if not self.pacer.goes(endpoint, caller):
            await self.pacer.turn(endpoint, caller, report)
        self.departed.append((self.clock.now(), caller))
        return report.pace_wait

    def calls(self, count: int, caller: str = "a") -> list["asyncio.Task[float]"]:
        return [asyncio.create_task(self.call(caller)) for _ in range(count)]


def plan(light: int) -> Plan:
    return Plan({"light": Limit(light, 1.0)})


@asynccontextmanager
async def replica(made: Plan, rates: Rates | None = None) -> AsyncIterator[tuple[Replica, Rates]]:
    clock = VirtualClock()
    rates = rates or Rates(clock)
    one = Replica(made, rates, clock, (0, 1))
    try:
        yield one, rates
    finally:
        await one.pacer.close()
        assert not one.told.defects


class TestTurns:
    @virtual
    async def test_while_the_budget_is_free_a_call_goes_without_waiting(self) -> None:
        async with replica(plan(20)) as (one, _):
            await one.call()
            await asyncio.sleep(2 * PERIOD)
            assert one.pacer.goes(LIGHT, "a")
            assert await one.call() == 0.0

    @virtual
    async def test_an_idle_pacer_asks_for_nothing(self) -> None:
        async with replica(plan(20)) as (one, rates):
            await one.call()
            await asyncio.sleep(5)
            asked = len(rates.asked)
            await asyncio.sleep(3600)
            assert len(rates.asked) == asked
            assert one.told.used[-1] == ("acc", "light", 0.0)
            await one.call()

    @virtual
    async def test_the_store_is_asked_once_in_a_period(self) -> None:
        async with replica(plan(20)) as (one, rates):
            await asyncio.gather(*one.calls(60))
            moments = [at for at, _ in rates.asked]
            assert all(after - before >= PERIOD - 1e-6 for before, after in pairwise(moments))
            assert len(moments) < 40

    @virtual
    async def test_no_second_has_more_than_the_limit_and_nearly_all_is_used(self) -> None:
        async with replica(plan(20)) as (one, _):
            await asyncio.gather(*one.calls(60))
            moments = [at for at, _ in one.departed]
            for first, after in zip(moments, moments[20:], strict=False):
                assert after - first >= 1.0
            assert moments[-1] - moments[0] <= 60 / 20 * 1.05
            assert one.told.waited

    @virtual
    async def test_callers_are_served_in_turn(self) -> None:
        async with replica(plan(20)) as (one, _):
            flood = one.calls(60, "flood")
            await asyncio.sleep(1.0)
            waits = await asyncio.gather(*(one.call(f"polite-{n}") for n in range(3)))
            assert max(waits) < 0.5
            await asyncio.gather(*flood)

    @virtual
    async def test_replicas_share_the_limit(self) -> None:
        clock = VirtualClock()
        rates = Rates(clock)
        fleet = [Replica(plan(20), rates, clock, (number, 3)) for number in range(3)]
        await asyncio.gather(*(task for one in fleet for task in one.calls(25)))
        moments = sorted(at for one in fleet for at, _ in one.departed)
        for first, after in zip(moments, moments[20:], strict=False):
            assert after - first >= 1.0
        assert moments[-1] - moments[0] <= 75 / 20 * 1.06
        for one in fleet:
            await one.pacer.close()

    @virtual
    async def test_lanes_do_not_hold_each_other_up(self) -> None:
        made = Plan({"light": Limit(1, 1.0), "medium": Limit(20, 1.0)})
        async with replica(made) as (one, _):
            slow = one.calls(4)
            await asyncio.sleep(1.0)
            assert await one.call(endpoint=UNKNOWN) < 2 * PERIOD
            assert await one.call(endpoint=HEAVY) == 0.0
            await asyncio.gather(*slow)


class TestRefusals:
    @virtual
    async def test_who_waits_too_long_may_come_again_later(self) -> None:
        async with replica(plan(1)) as (one, _):
            tasks = one.calls(20)
            found = await asyncio.gather(*tasks, return_exceptions=True)
            late = [problem for problem in found if isinstance(problem, PacedError)]
            assert 13 <= len(late) <= 16
            assert max(wait for wait in found if isinstance(wait, float)) <= 5.0
            assert all(1 <= problem.retry_after <= 21 for problem in late)
            assert set(one.told.refused) == {("acc", "light", "late")}

    @virtual
    async def test_a_caller_has_so_many_waiting_and_no_more(self) -> None:
        async with replica(plan(1)) as (one, _):
            tasks = one.calls(80)
            await asyncio.sleep(0)
            full = [task for task in tasks if task.done()]
            assert len(full) == 80 - 64
            other = asyncio.create_task(one.call("polite"))
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(isinstance(one, PacedError) for one in found) > 70
            assert await other < 5.0
            assert Counter(reason for _, _, reason in one.told.refused)["full"] == 16

    @virtual
    async def test_a_caller_that_leaves_gives_its_turn_to_the_next(self) -> None:
        async with replica(plan(1)) as (one, _):
            await one.call()
            first, second = one.calls(2)
            await asyncio.sleep(0.5)
            first.cancel()
            assert await second < 1.3
            with pytest.raises(asyncio.CancelledError):
                await first

    @virtual
    async def test_even_if_it_leaves_just_then(self) -> None:
        async with replica(plan(1)) as (one, _):
            first, second = one.calls(2)
            await asyncio.sleep(0)
            line = one.pacer._lines["light"]
            line.lane.give_back(one.clock.now())
            one.pacer._release(line)
            first.cancel()
            await asyncio.wait([first])
            assert await second < PERIOD
            assert [caller for _, caller in one.departed] == ["a"]


class TestZoomsAnswers:
    @virtual
    async def test_a_category_that_zoom_names_counts(self) -> None:
        async with replica(PLANS["pro"]) as (one, _):
            await one.call(endpoint=UNKNOWN)
            one.pacer.heard(UNKNOWN, {b"x-ratelimit-category": b"Heavy"})
            await one.call(endpoint=UNKNOWN)
            assert set(one.pacer.status()) == {"heavy", "medium"}
            for number in range(LEARNED + 1):
                other = Endpoint("GET", "other", f"GET #{number}")
                one.pacer.heard(other, {b"x-ratelimit-category": b"Heavy"})
            assert len(one.pacer._learned) <= LEARNED

    @virtual
    async def test_a_lower_limit_that_zoom_names_counts(self) -> None:
        async with replica(plan(20)) as (one, _):
            one.pacer.heard(
                LIGHT,
                {
                    b"x-ratelimit-category": b"Light",
                    b"x-ratelimit-type": b"QPS",
                    b"x-ratelimit-limit": b"10",
                },
            )
            assert one.pacer.status()["light"]["calls"] == 10

    @virtual
    async def test_the_days_calls_that_zoom_counts_count(self) -> None:
        made = Plan({"heavy": Limit(10, 1.0)}, daily(100))
        async with replica(made) as (one, rates):
            await one.call(endpoint=HEAVY)
            one.pacer.heard(
                HEAVY,
                {
                    b"x-ratelimit-type": b"Daily-limit",
                    b"x-ratelimit-limit": b"100",
                    b"x-ratelimit-remaining": b"0",
                },
            )
            # What was given in advance may still be used.
            calls = (one.call(endpoint=HEAVY) for _ in range(20))
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert sum(isinstance(problem, PacedError) for problem in found) >= 10
            left = DAY - one.clock.wall() % DAY
            with pytest.raises(PacedError) as caught:
                await one.call(endpoint=HEAVY)
            assert caught.value.retry_after == pytest.approx(left, abs=2)
            assert rates.asked

    @virtual
    async def test_after_a_429_about_the_day_nobody_waits(self) -> None:
        async with replica(plan(1)) as (one, _):
            tasks = one.calls(3)
            await asyncio.sleep(0.1)
            one.pacer.limited(LIGHT, Limited("light", Kind.DAILY, 3600.0))
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert {getattr(one, "retry_after", 0) for one in found} <= {0, int(CLOSED)}
            one.pacer.limited(LIGHT, Limited("light", Kind.DAILY, None))
            with pytest.raises(PacedError):
                await one.call()

    @virtual
    async def test_429s_about_a_second_make_it_slower(self) -> None:
        async with replica(plan(20)) as (one, _):
            await one.call()
            for kind in (Kind.PER_SECOND, Kind.UNKNOWN, Kind.PER_USER, Kind.CONCURRENT):
                for _ in range(10):
                    one.pacer.limited(LIGHT, Limited("light", kind, None))
            one.pacer.limited(HEAVY, Limited("heavy", Kind.PER_SECOND, None))
            one.pacer.heard(HEAVY, {b"x-ratelimit-limit": b"1"})
            began = one.clock.now()
            await asyncio.gather(*one.calls(60))
            assert 60 / 20 * 1.05 < one.clock.now() - began < 60 / 20 * 1.2


class TestOutage:
    @virtual
    async def test_a_replica_goes_on_with_its_part(self) -> None:
        clock = VirtualClock()
        rates = Rates(clock)
        rates.down = True
        fleet = [Replica(plan(20), rates, clock, (number, 4)) for number in range(4)]
        await asyncio.gather(*(task for one in fleet for task in one.calls(20)))
        moments = sorted(at for one in fleet for at, _ in one.departed)
        for first, after in zip(moments, moments[20:], strict=False):
            assert after - first >= 1.0 - 1e-6
        assert moments[-1] - moments[0] <= 80 / 20 * 1.1
        for one in fleet:
            assert [str(problem) for problem in one.told.failed] == ["away"]
            await one.pacer.close()

    @virtual
    async def test_a_store_that_hangs_is_one_that_is_away_and_it_comes_back(self) -> None:
        async with replica(plan(20)) as (one, rates):
            rates.hangs = True
            assert 1.0 <= await one.call() < 1.3
            assert "no schedule" in str(one.told.failed[0])
            rates.hangs = False
            asked = len(rates.asked)
            for _ in range(40):
                await one.call()
            assert len(rates.asked) > asked
            assert len(one.told.failed) == 1

    @virtual
    async def test_a_clock_of_the_store_that_is_set_is_followed(self) -> None:
        clock, stores = VirtualClock(), VirtualClock()
        async with replica(plan(20), Rates(stores)) as (one, _):
            await one.call()
            stores.skew = 500.0
            await asyncio.gather(*one.calls(30))
            assert len(one.departed) == 31
            assert clock.wall() < stores.wall()


class TestShown:
    @virtual
    async def test_who_uses_it(self) -> None:
        async with replica(plan(1)) as (one, _):
            await one.call("a")
            tasks = one.calls(3, "b")
            await asyncio.sleep(0.01)
            shown = one.pacer.status()["light"]
            assert (shown["calls"], shown["seconds"], shown["waiting"]) == (1, 1.0, 3)
            assert shown["callers"][0] == {"name": "b", "sent": 0, "refused": 0, "waiting": 3}
            await asyncio.gather(*tasks, return_exceptions=True)


ANSWER = Reply(body=[b'{"id":"me"}'])


async def test_a_call_whose_turn_does_not_come_gets_429_as_the_gateways_own() -> None:
    clock = VirtualClock()
    tokens = ScriptedTokens()
    parts = PaceParts(
        "acc",
        "one",
        Plan({"medium": Limit(1, 1.0)}),
        0.3,
        MemoryRates(clock),
        clock,
        lambda: (0, 1),
        Told().hooks(),
    )
    pacer = Pacer(parts)
    account = AccountContext("default", tokens, pacer=pacer)
    async with listening(
        ScriptedUpstream(ANSWER, ANSWER), tokens=tokens, accounts=[account], has_default=False
    ) as running:
        async with await running.caller() as caller:
            assert (await caller.call(request())).status == 200
            heard = await caller.call(request())
        assert (heard.status, heard.slug) == (429, "paced")
        assert 1 <= int(heard.one(b"Retry-After")) <= 2
        assert heard.json()["code"] == 429
        assert "rate limits" in heard.json()["message"]
        first, second = await running.reports.get(2)
        assert first.pace_wait <= 0.3 < second.pace_wait
        assert second.error == "paced"
    await pacer.close()
