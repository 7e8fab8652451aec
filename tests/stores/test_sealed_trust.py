"""What was changed in a store that seals tokens is not taken for one, and stays as it is."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import StoreContentError, StoreError, StoreFormatError
from gateway.stores.file import FileStore
from gateway.stores.memory import MemoryStore
from gateway.stores.sealed import SealedStore
from gateway.stores.sealing import SealingKey
from tests.stores.sealed_documents import (
    CANARY,
    NEW,
    OLD,
    STRANGE,
    TWO,
    Document,
    document,
    held,
    opened,
    revision_of,
    slot,
    write,
)
from tests.stores.test_contract import HandClock


@pytest.fixture
def inner() -> MemoryStore:
    return MemoryStore(HandClock())


def flipped(value: str) -> str:
    """One bit in the middle of the sealed text is another."""
    middle = len(value) - 20
    return value[:middle] + ("A" if value[middle] != "A" else "B") + value[middle + 1 :]


CHANGES: dict[str, Callable[[list[Document]], None]] = {
    "changed": lambda slots: slots[0]["token"].update(value=flipped(slots[0]["token"]["value"])),
    "cut": lambda slots: slots[0]["token"].update(value=slots[0]["token"]["value"][:-4]),
    "nearly empty": lambda slots: slots[0]["token"].update(value=f"sealed:v1:{NEW.id}:A"),
    "not text of ours": lambda slots: slots[0]["token"].update(value=f"sealed:v1:{NEW.id}:ä"),
    "without a key's id": lambda slots: slots[0]["token"].update(value="sealed:v1:x"),
    "exchanged": lambda slots: (
        slots[0].update(token=slots[2]["token"]),
        slots[2].update(token=None),
    )[-1],
    "of another app": lambda slots: slots[0].update(app="z"),
    "of another index": lambda slots: slots[0].update(index=9),
    "of no index": lambda slots: slots[0].pop("index") and None,
    "of another generation": lambda slots: slots[0]["token"].update(generation=8),
}


class TestContentThatCannotBeTrusted:
    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
    async def test_a_value_that_was_changed_or_moved_is_refused_and_stays(
        self, change: Callable[[list[Document]], None], inner: MemoryStore
    ) -> None:
        store = SealedStore(inner, NEW, OLD)
        await write(store, TWO)
        content = copy.deepcopy(await held(inner))
        change(content["slots"])
        await write(inner, content)
        with pytest.raises(StoreContentError, match="was changed, or moved from") as caught:
            await store.read("acc")
        assert not isinstance(caught.value, StoreFormatError)
        assert CANARY not in str(caught.value)
        assert "sealed:v1" not in str(caught.value)
        assert not await store.set_aside("acc", await revision_of(inner), str(caught.value))
        assert await held(inner) == content

    async def test_a_document_of_another_account_is_refused(self, inner: MemoryStore) -> None:
        store = SealedStore(inner, NEW)
        await write(store, TWO, "acc")
        await write(inner, await held(inner, "acc"), "other")
        with pytest.raises(StoreContentError, match="account other in the store was changed"):
            await store.read("other")
        assert await opened(store, "acc") == TWO

    @pytest.mark.parametrize("value", ["sealed:v2:00000000:AAAA", "sealed:", "sealed:v10:x"])
    @pytest.mark.parametrize("keys", [(NEW, OLD), (None, None)])
    async def test_a_form_that_is_not_known_is_a_newer_gateways(
        self,
        keys: tuple[SealingKey | None, SealingKey | None],
        value: str,
        inner: MemoryStore,
    ) -> None:
        await write(inner, document(slot(value=value)))
        store = SealedStore(inner, *keys)
        with pytest.raises(StoreFormatError, match="a newer gateway wrote them"):
            await store.read("acc")
        assert not await store.set_aside("acc", await revision_of(inner), "")

    async def test_a_sealed_document_in_a_file_is_not_set_aside(self, tmp_path: Path) -> None:
        reports: list[str] = []
        file = FileStore(tmp_path, reports.append)
        await write(SealedStore(file, STRANGE), TWO)
        before = await held(file)
        assert not await SealedStore(file, NEW).set_aside("acc", await revision_of(file), "x")
        assert (await held(file), reports) == (before, [])

    async def test_an_opened_document_that_makes_no_sense_is_set_aside(
        self, tmp_path: Path
    ) -> None:
        reports: list[str] = []
        store = SealedStore(FileStore(tmp_path, reports.append), NEW)
        stamp = await write(store, TWO)
        assert await store.set_aside("acc", stamp, "two tokens are active")
        assert await opened(store) is None
        assert len(reports) == 1

    async def test_the_stores_own_errors_are_not_changed(self) -> None:
        problem = StoreError("its own")

        class Failing(MemoryStore):
            async def read(self, account: str) -> Any:
                del account
                raise problem

        with pytest.raises(StoreError) as caught:
            await SealedStore(Failing(HandClock()), NEW).read("acc")
        assert caught.value is problem
