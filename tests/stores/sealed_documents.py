"""Documents with tokens, and what a store that seals them holds."""

import re
from typing import Any

from gateway.core.secret import Secret
from gateway.ports import NOTHING, Stamp, TokenStore
from gateway.stores.sealed import SealedStore
from gateway.stores.sealing import SealingKey

Document = dict[str, Any]

CANARY = "eyJ-canary-TOKEN-41fb"

OLD = SealingKey(Secret("01" * 32))
NEW = SealingKey(Secret("a2" * 32))
STRANGE = SealingKey(Secret("5e" * 32))

SEALED = re.compile(r"sealed:v1:([0-9a-f]{8}):[A-Za-z0-9_-]+")


def slot(app: str = "a", index: int = 0, value: str = CANARY, generation: int = 7) -> Document:
    return {
        "app": app,
        "index": index,
        "phase": "active",
        "token": {"value": value, "generation": generation, "issued_at": 1.5, "minter": "gw-1"},
    }


def document(*slots: Document) -> Document:
    return {"format": 1, "epoch": "e", "generation": 7, "slots": list(slots or (slot(),))}


TWO = document(slot(), {"app": "b", "index": 0, "token": None}, slot("b", 1, f"{CANARY}-2", 6))


async def write(store: TokenStore, content: Document, account: str = "acc") -> Stamp:
    revision = (await store_revision(store, account)) or NOTHING
    stamp = await store.write(account, content, revision=revision)
    assert stamp is not None
    return stamp


async def store_revision(store: TokenStore, account: str) -> Stamp | None:
    """The revision, also of a document that cannot be opened."""
    while isinstance(store, SealedStore):
        store = store._store
    return (await store.read(account)).revision


async def held(inner: TokenStore, account: str = "acc") -> Document:
    """What the inner store holds."""
    found = await inner.read(account)
    assert found.document is not None
    return found.document


async def values(inner: TokenStore, account: str = "acc") -> list[str]:
    content = await held(inner, account)
    return [one["token"]["value"] for one in content["slots"] if one["token"]]


async def opened(store: TokenStore, account: str = "acc") -> Document | None:
    return (await store.read(account)).document


async def revision_of(inner: TokenStore) -> Stamp:
    return (await inner.read("acc")).revision
