"""Tokens sealed at rest."""

import copy
import json
from pathlib import Path

import pytest

from gateway.core.errors import StoreFormatError
from gateway.core.secret import Secret
from gateway.ports import NOTHING, TokenStore
from gateway.stores.file import FileStore
from gateway.stores.memory import MemoryStore
from gateway.stores.sealed import SealedStore
from gateway.stores.sealing import SealingKey
from tests.stores.contract import StoreContract
from tests.stores.contract_bench import Bench
from tests.stores.sealed_documents import (
    CANARY,
    NEW,
    OLD,
    SEALED,
    STRANGE,
    TWO,
    Document,
    document,
    held,
    opened,
    revision_of,
    slot,
    values,
    write,
)
from tests.stores.test_contract import HandClock, MemoryBench


@pytest.fixture
def inner() -> MemoryStore:
    return MemoryStore(HandClock())


class SealedBench(MemoryBench):
    def connect(self) -> TokenStore:
        return SealedStore(self.store, NEW, OLD)


class KeylessBench(MemoryBench):
    def connect(self) -> TokenStore:
        return SealedStore(self.store)


class TestSealedStore(StoreContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return SealedBench()


class TestSealedStoreWithoutAKey(StoreContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return KeylessBench()


class TestRoundTrip:
    async def test_what_was_written_comes_back(self, inner: MemoryStore) -> None:
        await write(SealedStore(inner, NEW), TWO)
        assert await opened(SealedStore(inner, NEW)) == TWO

    async def test_nothing_readable_is_in_the_store(self, inner: MemoryStore) -> None:
        await write(SealedStore(inner, NEW), TWO)
        content = await held(inner)
        assert CANARY not in json.dumps(content)
        for value in await values(inner):
            form = SEALED.fullmatch(value)
            assert form
            assert form[1] == NEW.id

    async def test_all_but_the_values_stays_readable(self, inner: MemoryStore) -> None:
        await write(SealedStore(inner, NEW), TWO)
        content = copy.deepcopy(await held(inner))
        for sealed, plain in zip(content["slots"], TWO["slots"], strict=True):
            if plain["token"]:
                sealed["token"]["value"] = plain["token"]["value"]
        assert content == TWO

    async def test_nothing_readable_is_in_a_file(self, tmp_path: Path) -> None:
        await write(SealedStore(FileStore(tmp_path, print), NEW), TWO)
        files = [path for path in tmp_path.iterdir() if path.is_file()]
        assert any(b"sealed:v1:" in path.read_bytes() for path in files)
        assert not any(CANARY.encode() in path.read_bytes() for path in files)
        assert await opened(SealedStore(FileStore(tmp_path, print), NEW)) == TWO

    async def test_the_callers_document_stays_as_it_is(self, inner: MemoryStore) -> None:
        mine = copy.deepcopy(TWO)
        store = SealedStore(inner, NEW)
        await write(store, mine)
        assert mine == TWO
        before = copy.deepcopy(await held(inner))
        await store.read("acc")
        assert await held(inner) == before

    @pytest.mark.parametrize(
        "content",
        [
            {},
            {"slots": None},
            {"slots": {}},
            {"slots": "sealed:v1:x"},
            {"slots": [None, "x", 5, [], {}, {"token": None}, {"token": "x"}, {"token": {}}]},
            {"slots": [{"token": {"value": None}}, {"token": {"value": 5}}]},
        ],
    )
    async def test_another_shape_is_left_to_its_reader(
        self, content: Document, inner: MemoryStore
    ) -> None:
        await write(SealedStore(inner, NEW), content)
        assert await held(inner) == content
        assert await opened(SealedStore(inner, NEW)) == content

    async def test_equal_values_do_not_look_equal(self, inner: MemoryStore) -> None:
        await write(SealedStore(inner, NEW), document(slot("a"), slot("b")))
        one, other = await values(inner)
        assert one != other

    async def test_a_token_that_is_written_again_keeps_its_form(self, inner: MemoryStore) -> None:
        store = SealedStore(inner, NEW)
        await write(store, TWO)
        first = await values(inner)
        await write(store, {**TWO, "epoch": "f"})
        assert await values(inner) == first
        reader = SealedStore(inner, NEW, OLD)
        await write(reader, (await opened(reader)) or {})
        assert await values(inner) == first

    async def test_another_token_of_the_slot_gets_another_form(self, inner: MemoryStore) -> None:
        store = SealedStore(inner, NEW)
        await write(store, document(slot()))
        [first] = await values(inner)
        # The same generation: two replicas that minted apart from each other.
        await write(store, document(slot(value="other")))
        [second] = await values(inner)
        assert first != second
        assert await opened(SealedStore(inner, NEW)) == document(slot(value="other"))

    async def test_a_write_that_came_too_late_changes_nothing(self, inner: MemoryStore) -> None:
        one, other = SealedStore(inner, NEW), SealedStore(inner, NEW)
        await write(one, TWO)
        assert await other.write("acc", document(), revision=NOTHING) is None
        assert await opened(other) == TWO


class TestTheKey:
    def test_its_id_is_the_same_everywhere_and_another_for_another_key(self) -> None:
        assert SealingKey(Secret("01" * 32)).id == OLD.id == "5bb8448e"
        assert len({OLD.id, NEW.id, STRANGE.id}) == 3

    def test_what_it_sealed_opens_at_its_place_alone(self) -> None:
        text = NEW.seal(CANARY, b"here")
        assert NEW.open(text, b"here") == CANARY
        assert NEW.open(text, b"there") is None
        assert OLD.open(text, b"here") is None

    def test_what_was_sealed_once_opens_for_ever(self) -> None:
        text = "RwQ6VhhjMV7tV1bpT2QxFIheqhPuTbuZp0qQgr4ZElgr"
        assert OLD.open(text, b'["acc", "a", 0, 7]') == "token"

    async def test_the_place_is_the_account_the_slot_and_the_generation(
        self, inner: MemoryStore
    ) -> None:
        text = "RwQ6VhhjMV7tV1bpT2QxFIheqhPuTbuZp0qQgr4ZElgr"
        await write(inner, document(slot(value=f"sealed:v1:{OLD.id}:{text}")))
        assert await opened(SealedStore(inner, OLD)) == document(slot(value="token"))

    def test_no_nonce_comes_twice(self) -> None:
        assert len({NEW.seal(CANARY, b"")[:16] for _ in range(100)}) == 100

    @pytest.mark.parametrize("text", ["", "A", "AAAA", "A" * 37, "A" * 38, "A" * 400])
    def test_what_it_never_sealed_does_not_open(self, text: str) -> None:
        assert NEW.open(text, b"") is None


class TestBeginningAndEnding:
    async def test_plain_values_are_read_and_sealed_at_the_next_write(
        self, inner: MemoryStore
    ) -> None:
        await write(inner, TWO)
        store = SealedStore(inner, NEW)
        assert await opened(store) == TWO
        assert await held(inner) == TWO
        await write(store, TWO)
        assert CANARY not in json.dumps(await held(inner))
        assert await opened(store) == TWO

    async def test_with_a_previous_key_alone_both_are_read_and_plain_ones_written(
        self, inner: MemoryStore
    ) -> None:
        ready, sealing = SealedStore(inner, None, NEW), SealedStore(inner, NEW)
        await write(sealing, TWO)
        assert await opened(ready) == TWO
        await write(ready, TWO)
        assert await held(inner) == TWO
        assert await opened(sealing) == TWO

    async def test_without_a_key_a_sealed_value_is_never_taken_for_a_token(
        self, inner: MemoryStore
    ) -> None:
        await write(SealedStore(inner, NEW), TWO)
        with pytest.raises(StoreFormatError, match=f"key {NEW.id}, and this gateway has no key"):
            await SealedStore(inner).read("acc")

    async def test_without_a_key_all_else_passes(self, inner: MemoryStore) -> None:
        store = SealedStore(inner)
        await write(store, TWO)
        assert await held(inner) == TWO
        assert await opened(store) == TWO


class TestANewKey:
    async def test_in_the_safe_order_every_replica_reads_what_any_wrote(
        self, inner: MemoryStore
    ) -> None:
        stages = [(OLD, None), (OLD, NEW), (NEW, OLD), (NEW, None)]
        replicas = [SealedStore(inner, *keys) for keys in stages]
        for before, after in ((0, 1), (1, 2), (2, 3)):
            for writer, reader in ((before, after), (after, before)):
                await write(replicas[writer], document(slot(generation=writer)))
                assert await opened(replicas[reader]) == document(slot(generation=writer))

    async def test_the_first_write_under_the_new_key_seals_all_with_it(
        self, inner: MemoryStore
    ) -> None:
        await write(SealedStore(inner, OLD), TWO)
        store = SealedStore(inner, NEW, OLD)
        await write(store, (await opened(store)) or {})
        for value in await values(inner):
            assert value.startswith(f"sealed:v1:{NEW.id}:")
        assert await opened(SealedStore(inner, NEW)) == TWO

    @pytest.mark.parametrize(
        ("writer", "reader", "has"),
        [
            ((NEW, OLD), (OLD, None), f"this gateway has {OLD.id} alone"),
            ((OLD, NEW), (NEW, None), f"this gateway has {NEW.id} alone"),
            ((STRANGE, None), (OLD, NEW), f"has {' and '.join(sorted([OLD.id, NEW.id]))} alone"),
            ((NEW, None), (None, OLD), f"this gateway has {OLD.id} alone"),
        ],
    )
    async def test_in_another_order_a_replica_says_which_key_it_lacks_and_overwrites_nothing(
        self,
        writer: tuple[SealingKey, SealingKey | None],
        reader: tuple[SealingKey | None, SealingKey | None],
        has: str,
        inner: MemoryStore,
    ) -> None:
        behind = SealedStore(inner, *reader)
        # It read the account before, so it knows a revision to write at.
        known = await write(behind, document(slot("a", 0, "before", 1)))
        await inner.write("acc", {}, revision=known)
        await write(SealedStore(inner, *writer), TWO)
        before = copy.deepcopy(await held(inner))
        with pytest.raises(StoreFormatError) as caught:
            await behind.read("acc")
        sentence = str(caught.value)
        assert f"account acc in the store are sealed under the key {writer[0].id}, and" in sentence
        assert has in sentence
        assert "store.encryption_key_file or store.previous_encryption_key_file" in sentence
        assert CANARY not in sentence
        assert await behind.write("acc", document(), revision=known) is None
        assert not await behind.set_aside("acc", await revision_of(inner), "cannot be read")
        assert await held(inner) == before

    async def test_all_keys_that_are_missing_are_named(self, inner: MemoryStore) -> None:
        mixed = document(
            slot("a", 0, (await sealed_by(OLD, "a", 0))), slot("b", 0, await sealed_by(NEW, "b", 0))
        )
        await write(inner, mixed)
        with pytest.raises(StoreFormatError, match=" and ".join(sorted([OLD.id, NEW.id]))):
            await SealedStore(inner, STRANGE).read("acc")
        assert await opened(SealedStore(inner, NEW, OLD)) == document(slot("a"), slot("b"))


async def sealed_by(key: SealingKey, app: str, index: int) -> str:
    inner = MemoryStore(HandClock())
    await write(SealedStore(inner, key), document(slot(app, index)))
    [value] = await values(inner)
    return value
