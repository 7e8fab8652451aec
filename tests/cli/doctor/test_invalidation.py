"""`--probe-invalidation`: the conclusion, the mints it took, and who was asked before."""

import itertools
import os
import pty
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.cli.doctor.bench import (
    Checked,
    Serve,
    answering,
    check,
    deciding,
    result,
    server,
    started,
)
from tests.support.load import control, session
from tests.support.processes import credentials, eventually, gateway, simulator

ONE, TWO = "[0]", "[0,1]"
PROBE = ("--probe-invalidation", "--yes")


def configured(sim: str, indexes: str) -> dict[str, str]:
    app = f'[{{"name":"default","client_id":"demo-client","token_indexes":{indexes}}}]'
    return {**credentials(sim), "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS": app}


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with session() as made:
        yield made


async def mints(client: aiohttp.ClientSession, sim: str) -> int:
    async with client.get(f"{sim}/_sim/state") as answer:
        return int((await answer.json())["mint_attempts"])


@pytest.mark.parametrize(
    ("mode", "indexes", "expected", "needed"),
    [
        ("single", ONE, {"invalidation_single": "single"}, 2),
        ("single", TWO, {"invalidation_single": "single", "index_counts": None}, 3),
        ("max:2", ONE, {"invalidation_max": "max:2"}, 3),
        ("max:2", TWO, {"invalidation_max": "max:2", "index_counts": None}, 4),
        ("app-max:1", TWO, {"invalidation_single": "single", "index_ignored": "app-max:1"}, 3),
        ("app-max:2", TWO, {"invalidation_max": "max:2", "index_ignored": "app-max:2"}, 4),
        ("multi", ONE, {"invalidation_multi": "multi"}, 3),
        ("multi", TWO, {"invalidation_multi": "multi", "index_counts": None}, 4),
    ],
)
async def test_the_rule_and_the_mints_it_takes(
    client: aiohttp.ClientSession,
    mode: str,
    indexes: str,
    expected: dict[str, str | None],
    needed: int,
) -> None:
    async with simulator("--mode", mode) as sim:
        found = await check(*PROBE, **configured(sim, indexes))
        assert await mints(client, sim) == needed
    concluded = {
        one["code"]: one["details"].get("rule")
        for one in found.findings
        if one["code"].startswith(("invalidation", "index"))
    }
    assert concluded == expected
    last = found.one(list(expected)[-1])
    assert (last["details"]["mints"], bool(last["advice"])) == (needed, True)
    assert found.exit_code == int("index_ignored" in expected)


async def test_with_mint_no_slot_is_tried_twice(client: aiohttp.ClientSession) -> None:
    apps = (
        '[{"name":"a","client_id":"demo-client","token_indexes":[0,1],"client_secret":"demo-secret"},'
        '{"name":"b","client_id":"demo-client-2","client_secret":"demo-secret-2"}]'
    )
    async with simulator() as sim:
        variables = {**credentials(sim), "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS": apps}
        found = await check("--mint", *PROBE, **variables)
        assert await mints(client, sim) == 4
    assert [one["about"].rpartition(" ")[2] for one in found.all("mint_ok")] == [
        "b/0",
        "a/0",
        "a/1",
    ]


async def test_a_token_that_is_refused_at_once(client: aiohttp.ClientSession) -> None:
    async with simulator() as sim:
        await control(client, sim, "faults", {"refuse_all": True}, "PUT")
        found = await check(*PROBE, **credentials(sim))
        assert await mints(client, sim) == 1
    assert found.one("token_refused")
    assert found.lacks("invalidation_single", "invalidation_unclear")


@pytest.mark.parametrize(
    ("accepted", "words"),
    [
        (1, "the first token died before the next was minted"),
        (2, "refuses the newest token, too"),
        (3, "refuses the newest token, too"),
    ],
)
async def test_somebody_else_mints_meanwhile(accepted: int, words: str) -> None:
    """So many calls are accepted; then all tokens are dead."""
    calls = itertools.count(1)
    granted = answering("200 OK", '{"access_token":"t","expires_in":3599,"scope":""}')
    good, bad = answering("200 OK", "{}"), answering()

    def answer(head: bytes) -> Serve:
        if head.startswith(b"POST"):
            return granted
        return good if b"Bearer" in head and next(calls) <= accepted else bad

    async with server(deciding(answer)) as port:
        found = await check(*PROBE, **credentials(f"http://127.0.0.1:{port}"))
    unclear = found.one("invalidation_unclear")
    assert words in unclear["sentence"]
    assert "Another program" in unclear["advice"]
    assert found.lacks("invalidation_single", "invalidation_multi")


@pytest.mark.parametrize("fleet", [False, True])
async def test_a_token_that_dies_a_moment_later(tmp_path: Path, *, fleet: bool) -> None:
    """Zoom took its time; or a fleet, which the store shows, minted meanwhile."""
    shared = {"ZOOM_GATEWAY_STORE__URL": f"file://{tmp_path}"}
    if fleet:
        async with simulator() as sim, gateway(sim, **shared):
            await eventually(lambda: _holds_token(tmp_path), "a token in the store")
    minted, calls = itertools.count(1), itertools.count(1)

    def answer(head: bytes) -> Serve:
        if head.startswith(b"POST"):
            token = f"t{next(minted)}"
            return answering("200 OK", f'{{"access_token":"{token}","expires_in":3599}}')
        alive = b"Bearer t2" in head or (b"Bearer t1" in head and next(calls) <= 3)
        return answering("200 OK", "{}") if alive else answering()

    async with server(deciding(answer)) as port:
        found = await check(*PROBE, **credentials(f"http://127.0.0.1:{port}"), **shared)
    assert found.one("invalidation_unclear" if fleet else "invalidation_single")


def _holds_token(directory: Path) -> bool:
    file = directory / "default.json"
    return file.exists() and b'"phase": "active"' in file.read_bytes()


async def test_an_index_that_is_refused() -> None:
    async with simulator("--max-index", "1") as sim:
        found = await check(*PROBE, **configured(sim, "[0,9]"))
    assert found.one("invalidation_single")
    assert found.one("mint_invalid_index")
    assert found.lacks("index_counts", "index_ignored")


async def test_without_a_terminal_nobody_can_be_asked(client: aiohttp.ClientSession) -> None:
    async with simulator() as sim:
        found = await check("--probe-invalidation", **credentials(sim))
        assert await mints(client, sim) == 0
    refused = found.one("invalidation_not_asked")
    assert "mints up to 3 tokens in account default" in refused["sentence"]
    assert "in use now may end" in refused["sentence"]
    assert "--yes" in refused["advice"]
    assert found.exit_code == 1


async def _at_a_terminal(answer: bytes, **variables: str) -> Checked:
    ours, its = pty.openpty()
    try:
        child = await started("--json", "--probe-invalidation", variables=variables, stdin=its)
        os.write(ours, answer)
        return await result(child)
    finally:
        os.close(ours)
        os.close(its)


@pytest.mark.parametrize(("answer", "made"), [(b"n\n", 0), (b"\n", 0), (b"y\n", 2)])
async def test_at_a_terminal_it_asks(
    client: aiohttp.ClientSession, answer: bytes, made: int
) -> None:
    async with simulator() as sim:
        found = await _at_a_terminal(answer, **credentials(sim))
        assert await mints(client, sim) == made
    assert "mints up to 3 tokens" in found.stderr
    assert "Go on?" in found.stderr
    assert "a fleet is running" not in found.stderr
    assert found.one("invalidation_single" if made else "invalidation_declined")
    assert found.exit_code == 0


async def test_a_fleet_that_runs_is_named_in_the_question(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    shared = {"ZOOM_GATEWAY_STORE__URL": f"file://{tmp_path}"}
    async with simulator() as sim, gateway(sim, **shared) as gate:
        async with client.get(f"{gate.url}/v2/users/me") as answer:
            assert answer.status == 200
        found = await _at_a_terminal(b"n\n", **credentials(sim), **shared)
        assert await mints(client, sim) == 1
    assert "holds a token in use of account default: a fleet is running" in found.stderr
