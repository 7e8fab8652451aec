"""A gateway on a store that a newer one wrote to: it says so, and touches nothing."""

import asyncio
import hashlib
import json
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis

from tests.stores.released.states import APPS, KEY_TEXT
from tests.support.load import session, state
from tests.support.processes import DEADLINE, Gateway, gateway, simulator
from tests.support.redis_server import redis_server

RELEASED = Path(__file__).parents[1] / "stores" / "released" / "v1"
HASH = "zoom-gateway:{default}"
NEWER = "a newer gateway wrote"

Document = dict[str, Any]


def newer_format(document: Document) -> None:
    document["format"] = 2


def another_field(document: Document) -> None:
    document["slots"][0]["token"]["colour"] = "blue"


def sealed_anew(document: Document) -> None:
    document["slots"][0]["token"]["value"] = "sealed:v2:x"


CHANGES = {False: (newer_format, another_field), True: (newer_format, sealed_anew)}
"""By whether the store is sealed."""


def content(name: str, change: Callable[[Document], None]) -> dict[str, str]:
    """What a newer gateway would have kept, on the base of what was released."""
    kept: dict[str, str] = json.loads((RELEASED / name).read_text())["content"]
    if "default.json" in kept:
        record = json.loads(kept["default.json"])
        change(record["document"])
        # The lease that it had is over.
        return {"default.json": json.dumps(record | {"lease_owner": "", "lease_until": 0.0})}
    document = json.loads(kept["document"])
    change(document)
    text = json.dumps(document)
    digest = hashlib.sha1(f"{kept['revision']} {text}".encode()).hexdigest()
    lease = {"lease_owner": "", "lease_until": "0"}
    return {**kept, "document": text, "digest": digest, **lease}


def variables(url: str, directory: Path, *, sealed: bool) -> dict[str, str]:
    key = directory / "key"
    key.write_text(KEY_TEXT)
    key.chmod(0o600)
    return {
        "ZOOM_GATEWAY_STORE__URL": url,
        "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS": json.dumps(APPS["two slots"]),
        **({"ZOOM_GATEWAY_STORE__ENCRYPTION_KEY_FILE": str(key)} if sealed else {}),
    }


async def says_so(gate: Gateway, client: aiohttp.ClientSession) -> None:
    """For longer than a lease and several looks at the store."""
    for _ in range(5):
        async with client.get(f"{gate.url}/v2/users/me") as answer:
            assert answer.status == 503
            assert answer.headers["X-Zoom-Gateway-Error"] == "token_unavailable"
            assert "Retry-After" in answer.headers
            assert NEWER in (await answer.json())["message"]
        await asyncio.sleep(0.8)
    async with client.get(f"{gate.admin}/readyz") as answer:
        assert answer.status == 503
        assert any(NEWER in reason for reason in (await answer.json())["reasons"])
    async with client.get(f"{gate.admin}/status.json") as answer:
        (account,) = (await answer.json())["accounts"]
        assert any(NEWER in one["sentence"] for one in account["diagnoses"])
    (line,) = gate.logged("store_down")
    assert NEWER in line["message"]
    gate.signal(signal.SIGINT)
    assert await gate.ended() == 0


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
async def test_in_files(tmp_path: Path, sealed: bool) -> None:  # noqa: FBT001  a parameter
    name = "sealed.file.json" if sealed else "spare.file.json"
    before: dict[Path, bytes] = {}
    async with simulator() as sim, session() as client, AsyncExitStack() as stack:
        gates = []
        for change in CHANGES[sealed]:
            directory = tmp_path / change.__name__
            directory.mkdir()
            file = directory / "default.json"
            file.write_text(content(name, change)["default.json"])
            before[file] = file.read_bytes()
            env = variables(f"file://{directory}", tmp_path, sealed=sealed)
            gates.append(await stack.enter_async_context(gateway(sim, **env)))
        await asyncio.gather(*(says_so(gate, client) for gate in gates))
        assert (await state(client, sim))["mints"]["total"] == 0
    for file, text in before.items():
        assert file.read_bytes() == text
        assert not list(file.parent.glob("*corrupt*"))


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
async def test_in_redis(tmp_path: Path, sealed: bool) -> None:  # noqa: FBT001  a parameter
    name = "sealed.redis.json" if sealed else "spare.redis.json"
    with redis_server(tmp_path) as server:
        async with simulator() as sim, session() as client, AsyncExitStack() as stack:
            gates, before = [], {}
            for number, change in enumerate(CHANGES[sealed]):
                with redis.Redis("127.0.0.1", server.port, db=number) as admin:
                    admin.hset(HASH, mapping=dict(content(name, change)))
                    before[number] = admin.hgetall(HASH)
                url = f"redis://127.0.0.1:{server.port}/{number}"
                env = variables(url, tmp_path, sealed=sealed)
                gates.append(await stack.enter_async_context(gateway(sim, **env)))
            await asyncio.gather(*(says_so(gate, client) for gate in gates))
            assert (await state(client, sim))["mints"]["total"] == 0
            for number, held in before.items():
                with redis.Redis("127.0.0.1", server.port, db=number) as admin:
                    assert admin.hgetall(HASH) == held


async def is_ready(gate: Gateway, client: aiohttp.ClientSession) -> None:
    """Wait until it has looked into its store."""
    async with asyncio.timeout(DEADLINE):
        while True:
            async with client.get(f"{gate.admin}/readyz") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)


def later(value: Any, seconds: float) -> Any:
    """With all moments moved: only they are that large."""
    if isinstance(value, dict):
        return {key: later(one, seconds) for key, one in value.items()}
    if isinstance(value, list):
        return [later(one, seconds) for one in value]
    return value + seconds if isinstance(value, float) and value > 1e9 else value


@pytest.mark.parametrize("name", ["spare.file.json", "sealed.file.json"])
async def test_what_this_format_holds_is_used_without_a_mint(tmp_path: Path, name: str) -> None:
    """The other way round, so that all of the above does not pass for another reason."""
    kept = json.loads((RELEASED / name).read_text())
    record = json.loads(kept["content"]["default.json"])
    record["document"] = later(record["document"], time.time() - kept["now"])
    # No rotation is to fall into the test.
    record["document"]["rotate_at"] += 25.0
    (tmp_path / "default.json").write_text(
        json.dumps(record | {"lease_owner": "", "lease_until": 0.0})
    )
    env = variables(f"file://{tmp_path}", tmp_path, sealed=name.startswith("sealed"))
    async with simulator() as sim, session() as client, gateway(sim, **env) as gate:
        await is_ready(gate, client)
        async with client.get(f"{gate.admin}/status.json") as answer:
            (account,) = (await answer.json())["accounts"]
        assert account["generation"] == 2
        assert account["slots"][0]["phase"] == "spare"
        assert (await state(client, sim))["mints"]["total"] == 0
