"""The states that are written down of each format, and how each comes about.

Each keeps its gateways running while its block runs, as a store is read while others use it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.stores.released.record import Stage

KEY_TEXT: Final = "6d" * 32
"""The key that seals: of these tests alone."""


def _app(name: str, client: str, *indexes: int) -> dict[str, Any]:
    # The secrets are the simulator's own.
    secret = client.replace("client", "secret")
    return {
        "name": name,
        "client_id": client,
        "client_secret": secret,
        "token_indexes": list(indexes),
    }


APPS: Final = {
    "one slot": [_app("main", "demo-client", 0)],
    "two slots": [_app("main", "demo-client", 0, 1)],
    "another app": [_app("second", "demo-client-2", 3)],
}


def _phases(document: dict[str, Any]) -> list[str]:
    return [slot["phase"] for slot in document["slots"]]


@asynccontextmanager
async def spare(stage: "Stage") -> AsyncIterator[None]:
    """Rotated once: the new token is active, the one before it is the spare, and seen to live."""
    async with stage.gateway("two slots") as url:
        assert await stage.call(url) == 200
        await stage.until(lambda seen: sorted(_phases(seen)) == ["active", "spare"])
        assert await stage.call(url) == 200
        await stage.until(lambda seen: all(s["token"]["accepted_at"] for s in seen["slots"]))
        await stage.until(lambda seen: seen["apart"] and seen["generation"] == 2)
        yield


@asynccontextmanager
async def sealed(stage: "Stage") -> AsyncIterator[None]:
    async with stage.gateway("two slots", sealed=True) as url:
        assert await stage.call(url) == 200
        await stage.until(lambda seen: sorted(_phases(seen)) == ["active", "spare"])
        yield


@asynccontextmanager
async def trial(stage: "Stage") -> AsyncIterator[None]:
    """One endpoint refuses every token: its trial is on, it is suspected, and a mint was wasted."""
    async with stage.gateway("one slot") as url:
        assert await stage.call(url) == 200
        await stage.faults(refuse_paths=["GET /v2/users/{userId}/meetings"])
        for _ in range(3):
            assert await stage.call(url, "/v2/users/me/meetings") == 401
        await stage.until(lambda seen: seen["suspects"] and seen["trials"])
        yield


@asynccontextmanager
async def holdoff(stage: "Stage") -> AsyncIterator[None]:
    """Zoom refuses every token that it issues."""
    async with stage.gateway("one slot") as url:
        assert await stage.call(url) == 200
        await stage.faults(refuse_all=True)

        async def refused() -> None:
            while not stage.place.document()["holdoff"]:
                assert await stage.call(url) == 401

        await refused()
        yield


@asynccontextmanager
async def minting(stage: "Stage") -> AsyncIterator[None]:
    """A refusal's mint is under way, under a lease; an incident is open."""
    async with stage.gateway("two slots") as url:
        assert await stage.call(url) == 200
        await stage.until(lambda seen: "spare" in _phases(seen))
        await stage.call(url)
        await stage.faults(mint_delay=3.5)
        await stage.kill()
        calling = asyncio.create_task(stage.call(url))
        await stage.until(lambda seen: seen["minting"] and "aside" in _phases(seen))
        yield
        await calling


@asynccontextmanager
async def barred(stage: "Stage") -> AsyncIterator[None]:
    """Zoom has no index but 0; the endpoint fails after that."""
    await stage.configure(index_allowed=False)
    async with stage.gateway("two slots") as url:
        assert await stage.call(url) == 200
        await stage.until(lambda seen: any(slot["barred"] for slot in seen["slots"]))
        await stage.faults(mint_status=503)
        await stage.kill()
        await stage.call(url)
        await stage.until(lambda seen: any(slot["failures"] for slot in seen["slots"]))
        await stage.until(lambda seen: seen["lost"])
        yield


@asynccontextmanager
async def linked(stage: "Stage") -> AsyncIterator[None]:
    """Zoom ignores the index: a mint in one slot was seen to kill the token of the other."""
    await stage.configure(mode="app-max:1")
    async with stage.gateway("two slots") as url:
        assert await stage.call(url) == 200
        await stage.until(lambda seen: seen["apart"])
        yield


@asynccontextmanager
async def strangers(stage: "Stage") -> AsyncIterator[None]:
    """A replica with another app writes last: the slots of the first are kept for others."""
    async with stage.gateway("two slots") as first:
        assert await stage.call(first) == 200
        await stage.until(lambda seen: sorted(_phases(seen)) == ["active", "spare"])
    async with stage.gateway("another app") as url:
        assert await stage.call(url) == 200
        await stage.until(lambda seen: seen["generation"] >= 3 and len(seen["slots"]) == 3)
        yield


STATES: Final[dict[str, Callable[["Stage"], AbstractAsyncContextManager[None]]]] = {
    one.__name__: one for one in (spare, sealed, trial, holdoff, minting, barred, linked, strangers)
}
