"""Pacing by the settings: whom it holds for, and what a reload leaves as it is."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.core.endpoint import Endpoint
from gateway.core.presence import Presence, Sighting
from gateway.settings import Settings, load
from gateway.stores.file_rates import FileRates
from gateway.stores.rates import MemoryRates
from gateway.stores.redis_rates import RedisRates
from gateway.web.pacing import PaceHooks
from gateway.wiring.pacing import Pacing, _place

ACCOUNT = {"ZOOM_ACCOUNT_ID": "a", "ZOOM_CLIENT_ID": "b", "ZOOM_CLIENT_SECRET": "s"}
SALES = {
    "ZOOM_GATEWAY_ACCOUNTS__SALES__ACCOUNT_ID": "c",
    "ZOOM_GATEWAY_ACCOUNTS__SALES__APPS": '[{"client_id": "d", "client_secret": "e"}]',
}
PLAN = "ZOOM_GATEWAY_RATELIMIT__PACE"
WAIT = "ZOOM_GATEWAY_RATELIMIT__PACE_WAIT"
SALES_PLAN = "ZOOM_GATEWAY_ACCOUNTS__SALES__RATELIMIT__PACE"
STORE = "ZOOM_GATEWAY_STORE__URL"
LIGHT = Endpoint("GET", "/v2/users/{userId}", "GET /v2/users/{userId}", "light", "users")


def nobody(*_: Any) -> None: ...


HOOKS = PaceHooks(nobody, nobody, nobody, nobody, nobody)


def settings(variables: Mapping[str, str]) -> Settings:
    return load(None, {**ACCOUNT, **SALES, **variables})


def paced(variables: Mapping[str, str], former: Pacing | None = None) -> Pacing:
    return Pacing(settings(variables), "one", SystemClock(), HOOKS, former)


def test_when_it_is_off_nothing_is_made() -> None:
    made = paced({})
    assert (made.store, made.pacers, made.of("default")) == (None, {}, {})


def test_an_account_has_a_say_of_its_own() -> None:
    assert set(paced({PLAN: "pro", SALES_PLAN: "off"}).pacers) == {"default"}
    assert set(paced({SALES_PLAN: "free"}).pacers) == {"sales"}


@pytest.mark.parametrize(
    ("url", "kind"),
    [("memory:", MemoryRates), ("file://{}", FileRates), ("redis://127.0.0.1:1/0", RedisRates)],
)
def test_the_schedule_lies_where_the_tokens_lie(tmp_path: Path, url: str, kind: type) -> None:
    assert isinstance(paced({PLAN: "pro", STORE: url.format(tmp_path)}).store, kind)


def test_a_reload_leaves_what_did_not_change() -> None:
    former = paced({PLAN: "pro", SALES_PLAN: "free"})
    same = paced({PLAN: "pro", SALES_PLAN: "free"}, former)
    assert (same.store, same.pacers) == (former.store, former.pacers)
    other = paced({PLAN: "pro", SALES_PLAN: "business"}, former)
    assert other.store is former.store
    assert other.pacers["default"] is former.pacers["default"]
    assert other.pacers["sales"] is not former.pacers["sales"]
    longer = paced({PLAN: "pro", WAIT: "2"}, former)
    assert longer.pacers["default"] is not former.pacers["default"]
    off = paced({}, former)
    assert (off.store, off.pacers) == (None, {})


def test_another_store_has_another_schedule(tmp_path: Path) -> None:
    former = paced({PLAN: "pro"})
    other = paced({PLAN: "pro", STORE: f"file://{tmp_path}"}, former)
    assert other.store is not former.store
    assert other.pacers["default"] is not former.pacers["default"]


def test_each_replica_has_a_place_of_its_own() -> None:
    seen = Sighting(tuple(Presence(name, "1", "", 0.0) for name in ("one", "two", "three")))
    assert sorted(_place(name, seen) for name in ("one", "two", "three")) == [
        (0, 3),
        (1, 3),
        (2, 3),
    ]
    assert _place("alone", Sighting()) == (0, 1)


async def test_the_account_says_what_is_used_and_by_whom() -> None:
    made = paced({PLAN: "pro"})
    assert made.of("default") == {"pacing": {}}
    pacer = made.pacers["default"]
    assert not pacer.goes(LIGHT, "reports")
    await asyncio.sleep(0)
    shown = made.of("default")["pacing"]["light"]
    assert (shown["calls"], shown["seconds"]) == (30, 1.0)
    for one in made.pacers.values():
        await one.close()
