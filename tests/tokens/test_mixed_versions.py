"""Replicas of two versions on one store: what a newer one writes, and what this one makes of it."""

import asyncio
import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from gateway.core.events import Minted, StoreDown, StoreUp
from gateway.stores.memory import MemoryStore
from tests.support.account import A0, A1, Fleet, load
from tests.support.virtual_time import VirtualClock, virtual
from tests.support.zoom_in_memory import Zoom

EXT = {"pace": {"left": 3, "resets_at": 1234.5, "of": ["a", None]}}

Document = dict[str, Any]


async def rewrite(store: MemoryStore, change: Callable[[Document], object]) -> Document:
    """What a replica of another version writes, on top of what is there."""
    found = await store.read("default")
    document: Document = copy.deepcopy(dict(found.document or {}))
    change(document)
    assert await store.write("default", copy.deepcopy(document), revision=found.revision)
    return document


async def held(store: MemoryStore) -> Document:
    found = await store.read("default")
    return found.document or {}


def newer_format(document: Document) -> None:
    document["format"] = 2


def another_field(document: Document) -> None:
    document["slots"][0]["token"]["colour"] = "blue"


def another_cause(document: Document) -> None:
    document["slots"][0]["token"]["cause"] = "whim"


def become(other: Document, document: Document) -> None:
    document.clear()
    document.update(other)


NEWER = [newer_format, another_field, another_cause]


@virtual
async def test_what_a_newer_one_adds_outlives_all_that_an_older_one_writes() -> None:
    zoom = Zoom()
    store = MemoryStore(VirtualClock())
    async with Fleet(zoom, (A0, A1), store) as old:
        assert (await old.call()).seen == "accepted"
        await asyncio.sleep(1)
        await rewrite(store, lambda document: document["ext"].update(EXT))
        await load(old, 1, 3600)  # past a rotation
        zoom.kill()
        assert (await old.call()).seen == "accepted"
        await asyncio.sleep(1)
        assert len(zoom.mints) == 3
        assert (await held(store))["ext"] == EXT
        # The store loses all; who notices puts it back.
        store._records.clear()
        store._written.pop("default").set()
        await asyncio.sleep(5)
        assert (await held(store))["ext"] == EXT
        assert len(zoom.mints) == 3


@pytest.mark.parametrize("change", NEWER)
@virtual
async def test_a_newer_document_is_left_as_it_is_and_nothing_is_minted(
    change: Callable[[Document], object],
) -> None:
    zoom = Zoom()
    store = MemoryStore(VirtualClock())
    async with Fleet(zoom, (A0,), store) as first:
        assert (await first.call()).seen == "accepted"
    newer = await rewrite(store, change)
    before = dict(store._records)
    async with Fleet(zoom, (A0,), store, replica="late") as late:
        outcomes = await load(late, 1, 120)
        assert {one.seen for one in outcomes} == {"unavailable"}
        (down,) = late.told.of(StoreDown)
        assert "a newer gateway wrote it; upgrade this one" in down.message
    assert await held(store) == newer
    assert store._records == before
    assert len(zoom.mints) == 1


@pytest.mark.parametrize("change", NEWER)
@virtual
async def test_an_older_one_that_runs_goes_on_with_its_token_and_comes_back_after_a_rollback(
    change: Callable[[Document], object],
) -> None:
    zoom = Zoom(life=3600)
    store = MemoryStore(VirtualClock())
    async with Fleet(zoom, (A0, A1), store) as old:
        assert (await old.call()).seen == "accepted"
        await asyncio.sleep(1)
        before = copy.deepcopy(await held(store))
        newer = await rewrite(store, change)
        outcomes = await load(old, 1, 3000)
        assert {(one.seen, one.sendings) for one in outcomes} == {("accepted", 1)}
        assert [found.code for found in old.manager.diagnoses()] == ["store_down"]
        await load(old, 1, 900)
        # Its token is over, and it must not mint another.
        assert (await old.call()).seen == "unavailable"
        assert await held(store) == newer
        assert len(old.told.of(Minted)) == len(zoom.mints) == 1
        await rewrite(store, partial(become, before))
        await asyncio.sleep(10)
        assert (await old.call()).seen == "accepted"
        assert len(old.told.of(StoreUp)) == 1
        assert not old.manager.diagnoses()
    assert len(zoom.mints) == 2


@virtual
async def test_who_is_shut_out_loses_no_token_to_an_endpoint_that_refuses() -> None:
    zoom = Zoom()
    store = MemoryStore(VirtualClock())
    async with Fleet(zoom, (A0, A1), store) as old:
        assert (await old.call()).seen == "accepted"
        await asyncio.sleep(1)
        await rewrite(store, newer_format)
        await asyncio.sleep(5)
        zoom.refuses.add("GET /broken")
        assert (await old.call("GET /broken")).seen == "refused"
        await asyncio.sleep(1)
        outcomes = await load(old, 1, 60)
        assert {one.seen for one in outcomes} == {"accepted"}
    assert len(zoom.mints) == 1


@pytest.mark.parametrize("change", NEWER)
@virtual
async def test_a_newer_document_that_comes_during_a_mint_is_left_and_the_token_is_used(
    change: Callable[[Document], object],
) -> None:
    zoom = Zoom(mint_latency=2.0)
    store = MemoryStore(VirtualClock())
    async with Fleet(zoom, (A0, A1), store) as old:
        assert (await old.call()).seen == "accepted"
        await asyncio.sleep(1)
        old.manager.request()
        await asyncio.sleep(1)
        before = copy.deepcopy(await held(store))
        assert before["minting"]
        newer = await rewrite(store, change)
        outcomes = await load(old, 1, 120)
        assert {one.seen for one in outcomes} == {"accepted"}
        assert await held(store) == newer
        assert len(zoom.mints) == 2
        assert old.manager.generation == 2
        # Rolled back, the token is there for all.
        await rewrite(store, partial(become, before))
        await asyncio.sleep(10)
        assert [slot["token"]["generation"] for slot in (await held(store))["slots"]] == [1, 2]
        assert (await old.call()).seen == "accepted"
    assert len(zoom.mints) == 2
