"""Documents that released versions wrote, read by this one: the very meaning, and nothing lost.

`released/record.py` wrote them down: gateways of that version, in front of the simulator.
"""

import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import redis

from gateway import __version__
from gateway.core.account import Account, advance
from gateway.core.document import FORMAT, decode, encode
from gateway.core.presence import Presence
from gateway.core.secret import Secret
from gateway.core.slots import Phase
from gateway.core.token import Cause, SlotId
from gateway.ports import TokenStore
from gateway.settings import load
from gateway.stores.file import FileStore
from gateway.stores.redis import RedisStore
from gateway.stores.sealed import SealedStore
from gateway.stores.sealing import SealingKey
from gateway.wiring.credentials import identities
from tests.stores.released.states import APPS, KEY_TEXT, STATES
from tests.support.processes import credentials
from tests.support.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
RELEASED = Path(__file__).parent / "released"
FORMATS = sorted(path.name for path in RELEASED.glob("v*"))
STORES = ("file", "redis")

MAIN_0, MAIN_1, SECOND_3 = SlotId("main", 0), SlotId("main", 1), SlotId("second", 3)
ME = "GET /v2/users/{userId}"
MEETINGS = "GET /v2/users/{userId}/meetings"

KEY = "zoom-gateway:{default}"
REPLICAS = "zoom-gateway:replicas"


class Kept:
    """What a store kept, and how a gateway of this version that is configured alike reads it."""

    def __init__(self, file: Path, kind: str, scratch: Path) -> None:
        written = json.loads(file.read_text())
        self.state = file.name.partition(".")[0]
        self.kind = kind
        self.now: float = written["now"]
        """The store's time when it was written down."""
        self.content: dict[str, str] = written["content"]
        self.replicas: dict[str, str] = written["replicas"]
        self.directory = scratch
        self.reports: list[str] = []
        self._server: RedisServer | None = None

    @property
    def document(self) -> dict[str, Any]:
        if self.kind == "redis":
            return dict(json.loads(self.content["document"]))
        return dict(json.loads(self.content["default.json"])["document"])

    def identities(self, apps: str) -> dict[SlotId, str]:
        variables = {
            **{k: v for k, v in credentials("http://127.0.0.1:9").items() if "CLIENT" not in k},
            "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS": json.dumps(APPS[apps]),
        }
        return identities(load(None, variables).accounts["default"])

    @asynccontextmanager
    async def store(self, server: RedisServer | None = None) -> AsyncIterator[TokenStore]:
        """A store of this version with that content, whose clock stands still at that time."""
        self._server = server
        inner = self._file() if server is None else self._redis(server)
        key = SealingKey(Secret(KEY_TEXT)) if self.state == "sealed" else None
        try:
            yield SealedStore(inner, key)
        finally:
            await inner.close()

    def _file(self) -> TokenStore:
        for name, text in (self.content | self.replicas).items():
            (self.directory / name).write_text(text)
        return FileStore(self.directory, self.reports.append, lambda: self.now)

    def _redis(self, server: RedisServer) -> TokenStore:
        with redis.Redis("127.0.0.1", server.port) as client:
            client.hset(KEY, mapping=dict(self.content))
            client.hset(REPLICAS, mapping=dict(self.replicas))
        return RedisStore(server.options, lambda: round((self.now - time.time()) * 1000))

    def held(self) -> dict[str, Any]:
        """The document as it lies in the store now."""
        if self._server is None:
            text = json.loads((self.directory / "default.json").read_text())["document"]
            return dict(text)
        with redis.Redis("127.0.0.1", self._server.port) as client:
            found: Any = client.hget(KEY, "document")
        return dict(json.loads(found))

    def names(self) -> list[str]:
        """Of the replicas that were there."""
        if self.kind == "redis":
            return list(self.replicas)
        return list(json.loads(self.replicas["_replicas.json"]))


def kept(version: str, state: str, kind: str, scratch: Path) -> Kept:
    return Kept(RELEASED / version / f"{state}.{kind}.json", kind, scratch)


def generations(account: Account) -> dict[SlotId, tuple[Phase, int]]:
    return {
        slot.id: (slot.phase, slot.token.generation if slot.token else 0) for slot in account.slots
    }


# What each state means, as those who brought it about know.


def spare(account: Account, now: float) -> None:
    assert generations(account) == {MAIN_0: (Phase.SPARE, 1), MAIN_1: (Phase.ACTIVE, 2)}
    token = account.usable(now)
    assert token is not None
    assert token.value.reveal().startswith("eyJ")
    assert (token.cause, token.lifetime) == (Cause.ROTATION, 40.0)
    assert "user:read" in token.scope
    assert token.api_url is not None
    assert token.api_url.startswith("http://127.0.0.1:")
    assert all(s.token and s.token.accepted_at is not None for s in account.slots)
    assert dict(account.apart) == {frozenset((MAIN_0, MAIN_1)): True}
    # At a tenth of the life.
    assert account.rotate_at == pytest.approx(token.issued_at + 4.0)
    assert (account.holdoff, account.due, account.incident, account.minting) == (None,) * 4


def sealed(account: Account, now: float) -> None:
    assert generations(account) == {MAIN_0: (Phase.SPARE, 1), MAIN_1: (Phase.ACTIVE, 2)}
    values = [slot.token.value.reveal() for slot in account.slots if slot.token]
    assert all(value.startswith("eyJ") for value in values)
    assert len(set(values)) == 2
    assert account.usable(now) is not None


def trial(account: Account, now: float) -> None:
    assert generations(account) == {MAIN_0: (Phase.ACTIVE, 2)}
    assert account.active is not None
    assert account.active.cause is Cause.REFUSAL
    assert dict(account.trials) == {MEETINGS: 2}
    assert account.suspects.keys() == {MEETINGS}
    assert 590.0 < account.suspects[MEETINGS] - now < 600.0
    assert account.on_probation(MEETINGS, 2, now)
    assert not account.on_probation(ME, 2, now)
    assert account.budget.level == 119.0


def holdoff(account: Account, now: float) -> None:
    assert account.active is not None
    assert account.active.accepted_at is None
    assert account.holdoff is not None
    assert account.holdoff.generation == account.active.generation == account.generation == 4
    assert 0.0 < account.holdoff.until - now < 4.8
    assert account.holdoff.since < now
    assert account.fresh == 2
    assert dict(account.trials) == {ME: 4}
    assert account.incident is not None
    assert (account.incident.generation, account.incident.slot) == (1, MAIN_0)


def minting(account: Account, now: float) -> None:
    assert generations(account) == {MAIN_0: (Phase.ACTIVE, 1), MAIN_1: (Phase.ASIDE, 2)}
    found = account.minting
    assert found is not None
    assert (found.slot, found.cause, found.fence[:2]) == (MAIN_1, Cause.REFUSAL, "3.")
    assert 0.0 <= now - found.since < 1.0
    assert account.due is not None
    assert (account.due.cause, account.due.endpoint) == (Cause.REFUSAL, ME)
    assert account.incident is not None
    assert (account.incident.generation, account.incident.confirmed) == (2, False)


def barred(account: Account, now: float) -> None:
    one, other = account.slots
    assert (one.id, other.id) == (MAIN_0, MAIN_1)
    assert one.phase is Phase.ASIDE
    assert (one.barred, other.token) == ("", None)
    assert "Zoom refuses token index 1 of app 'main'" in other.barred
    assert one.failures >= 1
    assert one.retry_at > now - 1.0
    assert MAIN_0 in account.lost
    assert all(now - at < 10.0 for at in account.lost.values())
    assert account.usable(now) is None


def linked(account: Account, now: float) -> None:
    del now
    assert dict(account.apart) == {frozenset((MAIN_0, MAIN_1)): False}


def strangers(account: Account, now: float) -> None:
    """Read with the slots of the first replica: they come back to it, the newest one active."""
    assert generations(account) == {MAIN_0: (Phase.SPARE, 1), MAIN_1: (Phase.SPARE, 2)}
    assert [slot.id for slot in account.strangers.values()] == [SECOND_3]
    token = advance(account, now).usable(now)
    assert token is not None
    assert (token.generation, account.generation) == (2, 3)


MEANINGS = {
    one.__name__: one for one in (spare, sealed, trial, holdoff, minting, barred, linked, strangers)
}
ONE_SLOT = {"trial", "holdoff"}


def test_the_page_on_upgrades_names_this_version_and_its_formats() -> None:
    section = (ROOT / "docs" / "upgrades.md").read_text().split("## Versions and formats")[1]
    lines = [line for line in section.splitlines() if re.match(r"\| [0-9]", line)]
    rows = [line.strip("| ").split(" | ") for line in lines]
    version, reads, writes, sealing, _ = rows[-1]
    assert __version__.startswith(f"{version}.")
    assert writes == str(FORMAT)
    assert reads.split(", ")[-1] == str(FORMAT)
    (form, *_) = re.findall(
        "sealed:(v[0-9]+):", (RELEASED / f"v{FORMAT}" / "sealed.file.json").read_text()
    )
    assert sealing == f"`{form}`"
    assert {f"v{number}" for number in reads.split(", ")} == set(FORMATS)


def test_every_state_has_a_meaning_and_was_written_down() -> None:
    assert MEANINGS.keys() == STATES.keys()
    for version in FORMATS:
        names = {path.name for path in (RELEASED / version).iterdir()}
        assert names == {f"{state}.{kind}.json" for state in STATES for kind in STORES}


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("version", FORMATS)
class TestWhatWasReleased:
    @pytest.fixture
    def one(self, version: str, state: str, kind: str, tmp_path: Path) -> Kept:
        return kept(version, state, kind, tmp_path)

    @pytest.fixture
    async def store(
        self, one: Kept, kind: str, request: pytest.FixtureRequest
    ) -> AsyncIterator[TokenStore]:
        async with one.store(request.getfixturevalue("server") if kind == "redis" else None) as it:
            yield it
        assert not one.reports

    async def test_is_read_with_its_meaning_and_written_again_without_loss(
        self, one: Kept, store: TokenStore, state: str
    ) -> None:
        known = one.identities("one slot" if state in ONE_SLOT else "two slots")
        found = await store.read("default")
        assert found.document is not None
        account = decode(found.document, known, 0.0)
        MEANINGS[state](account, one.now)

        marks = MappingProxyType({"GET /marked": one.now + 60.0})
        content = encode(replace(account, suspects=marks), known, 0.0)
        assert await store.write("default", content, revision=found.revision)
        again = await store.read("default")
        assert (again.fence, again.lease_owner) == (found.fence, found.lease_owner)
        assert again.revision.number == found.revision.number + 1
        assert in_order({**one.held(), "suspects": {}}) == in_order(
            {**one.document, "suspects": {}}
        )

    async def test_holds_the_lease_that_was_held(
        self, one: Kept, store: TokenStore, state: str
    ) -> None:
        found = await store.read("default")
        taken = await store.acquire("default", "another", 3.0)
        if state == "minting":
            assert found.lease_owner == one.document["minting"]["holder"]
            assert str(found.fence) == one.document["minting"]["fence"]
        if found.lease_owner:
            assert taken is None
        else:
            assert taken is not None
            assert taken.fence.number == found.fence.number + 1

    async def test_shows_the_replicas_that_were_there(self, one: Kept, store: TokenStore) -> None:
        own = Presence("me", "9", "10.0.0.1:8080", one.now)
        *others, me = sorted(await store.beat(own), key=lambda presence: presence.name == "me")
        assert me.name == "me"
        assert [presence.name for presence in others] == sorted(one.names())
        for presence in others:
            assert presence.version
            assert presence.address.startswith("127.0.0.1:")
            assert 0.0 <= presence.age < 10.0
            assert one.now - 60.0 < presence.since <= one.now
            assert set(presence.generations) == {"default"}


def in_order(document: dict[str, Any]) -> dict[str, Any]:
    """Each gateway writes its own slots first."""
    slots = sorted(document["slots"], key=lambda slot: (slot["app"], slot["index"]))
    return {**document, "slots": slots}
