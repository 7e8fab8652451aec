"""Tokens sealed at rest: who reads a store, its backups or its traffic has no token by it.

Wraps another store. In its documents the value of each token stands as `sealed:v1:KEY:TEXT`:
the id of a key, and what that key made of the value for this account, slot and generation. A
plain value is taken as it is, so that a running fleet can begin to seal; the next write seals
it. What cannot be opened is never taken for a token, and stays in the store as it is.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, Protocol

from gateway.core.errors import StoreContentError, StoreFormatError
from gateway.core.presence import Presence
from gateway.ports import Claim, Compose, Lease, Seizure, Stamp, Stored, TokenStore

_MARK: Final = "sealed:"
"""No token of Zoom's begins like that."""

_OURS: Final = "sealed:v1:"
_FORM: Final = re.compile(rf"{_OURS}([0-9a-f]{{8}}):([A-Za-z0-9_-]+)")

Document = dict[str, Any]
Known = dict[bytes, tuple[str, str]]
"""By place: a token's value, plain and sealed under the current key."""


class Key(Protocol):
    """What seals and opens."""

    @property
    def id(self) -> str:
        """Eight hexadecimal digits that name the key; they tell nothing of it."""

    def seal(self, value: str, place: bytes) -> str:
        """Give text of `A-Z a-z 0-9 _ -`, which opens at this place alone."""

    def open(self, text: str, place: bytes) -> str | None:
        """Give the value; None if the text was changed or is of another place."""


class SealedStore:
    """Implements `TokenStore`. Seals with `current`, opens with both; without, writes plainly.

    Beside what `store` raises, `read` raises StoreFormatError for a value under a key that is
    not at hand, and StoreContentError for one that was changed or moved.
    """

    def __init__(
        self, store: TokenStore, current: Key | None = None, previous: Key | None = None
    ) -> None:
        self._store = store
        self._current = current
        self._keys = {key.id: key for key in (previous, current) if key}
        self._known: dict[str, Known] = {}
        """By account: the tokens of its newest document. What is written again keeps its sealed
        form: a key may seal 2**32 times, as every time takes a random nonce."""

    async def read(self, account: str) -> Stored:
        stored = await self._store.read(account)
        if stored.document is None:
            return stored
        return replace(stored, document=self._opened(account, stored.document))

    async def write(
        self,
        account: str,
        document: Document,
        *,
        revision: Stamp,
        fence: Stamp | None = None,
        ends: bool = False,
    ) -> Stamp | None:
        sealed = self._sealed(account, document)
        return await self._store.write(account, sealed, revision=revision, fence=fence, ends=ends)

    async def set_aside(self, account: str, revision: Stamp, problem: str) -> bool:
        """Sealed content stays: another replica may be able to open it."""
        try:
            await self.read(account)
        except StoreContentError:
            return False
        return await self._store.set_aside(account, revision, problem)

    async def acquire(self, account: str, owner: str, ttl: float) -> Lease | None:
        return await self._store.acquire(account, owner, ttl)

    async def seize(
        self, account: str, claim: Claim, *, revision: Stamp, compose: Compose
    ) -> Seizure:
        def sealed(fence: Stamp) -> Document | None:
            document = compose(fence)
            return None if document is None else self._sealed(account, document)

        return await self._store.seize(account, claim, revision=revision, compose=sealed)

    async def renew(self, lease: Lease, ttl: float) -> bool:
        return await self._store.renew(lease, ttl)

    async def release(self, lease: Lease) -> None:
        await self._store.release(lease)

    async def changed(self, account: str, revision: Stamp) -> None:
        await self._store.changed(account, revision)

    async def beat(self, presence: Presence) -> list[Presence]:
        return await self._store.beat(presence)

    async def leave(self, name: str) -> None:
        await self._store.leave(name)

    async def close(self) -> None:
        await self._store.close()

    def _sealed(self, account: str, document: Document) -> Document:
        key, before, known = self._current, self._known.get(account, {}), Known()
        if key is None:
            return document

        def seal(value: str, place: bytes) -> str:
            plain, sealed = before.get(place, ("", ""))
            if plain != value:
                sealed = f"{_OURS}{key.id}:{key.seal(value, place)}"
            known[place] = (value, sealed)
            return sealed

        result = _with_values(document, account, seal)
        self._known[account] = known
        return result

    def _opened(self, account: str, document: Document) -> Document:
        self._check_keys(account, document)
        known = Known()

        def unseal(text: str, place: bytes) -> str:
            if not text.startswith(_MARK):
                return text
            key, value = self._open(text, place)
            if value is None:
                raise StoreContentError(
                    f"a sealed token of account {account} in the store was changed, or moved from"
                    " another slot or account: it stays as it is; find out who else writes to"
                    " the store (store.url), then delete the account's document there"
                )
            if key is self._current:
                known[place] = (value, text)
            return value

        result = _with_values(document, account, unseal)
        self._known[account] = known
        return result

    def _open(self, text: str, place: bytes) -> tuple[Key | None, str | None]:
        form = _FORM.fullmatch(text)
        if form is None:
            return None, None
        key = self._keys[form[1]]
        return key, key.open(form[2], place)

    def _check_keys(self, account: str, document: Document) -> None:
        """Raise StoreFormatError if a value is sealed under a key or in a form not known here."""
        sealed = [value for value in _values(document) if value.startswith(_MARK)]
        if any(not value.startswith(_OURS) for value in sealed):
            raise StoreFormatError(
                f"the tokens of account {account} in the store are sealed in a form that this"
                " gateway does not know: a newer gateway wrote them; upgrade this one"
            )
        forms = (_FORM.fullmatch(value) for value in sealed)
        unknown = sorted({form[1] for form in forms if form} - self._keys.keys())
        if unknown:
            raise StoreFormatError(
                f"the tokens of account {account} in the store are sealed under the key"
                f" {' and '.join(unknown)}, and {self._has()}: name the file of that key in"
                " store.encryption_key_file or store.previous_encryption_key_file; until then"
                " they stay as they are (if the key is lost, delete the account's document there)"
            )

    def _has(self) -> str:
        if not self._keys:
            return "this gateway has no key"
        return f"this gateway has {' and '.join(sorted(self._keys))} alone"


def _values(document: Document) -> Iterator[str]:
    for slot in _list(document.get("slots")):
        if (value := _value(slot)) is not None:
            yield value


def _with_values(document: Document, account: str, change: Callable[[str, bytes], str]) -> Document:
    """A copy with every token's value changed. What has another shape is left to its reader."""

    def changed(slot: Any) -> Any:
        value = _value(slot)
        if value is None:
            return slot
        token = slot["token"]
        place = json.dumps([account, slot.get("app"), slot.get("index"), token.get("generation")])
        return {**slot, "token": {**token, "value": change(value, place.encode())}}

    if not isinstance(document.get("slots"), list):
        return document
    return {**document, "slots": [changed(slot) for slot in document["slots"]]}


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _value(slot: Any) -> str | None:
    """The value of a slot's token as it stands, or None if there is none."""
    token = slot.get("token") if isinstance(slot, dict) else None
    value = token.get("value") if isinstance(token, dict) else None
    return value if isinstance(value, str) else None
