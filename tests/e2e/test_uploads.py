"""Large bodies whose first sending is refused: whole the second time, acted on once."""

import hashlib
import io
import random
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.load import control, metric, session, state
from tests.support.processes import Gateway, gateway, simulator

MIB = 1 << 20
BODY = random.Random(3).randbytes(30 * MIB)
DIGEST = hashlib.sha256(BODY).hexdigest()

WAYS = {
    "before the body was read": {"refuse_next": 1, "refuse_early": True, "drain": True},
    "before the body was read, which it never is": {
        "refuse_next": 1,
        "refuse_early": True,
        "drain": False,
    },
    "after the body was read": {"refuse_next": 1},
}


def peak_memory(gate: Gateway) -> int:
    """Bytes that the process has held at most so far."""
    status = Path(f"/proc/{gate.child.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def upload(client: aiohttp.ClientSession, url: str, *, chunked: bool) -> str:
    """The digest of what Zoom got."""
    data = _chunks() if chunked else io.BytesIO(BODY)
    headers = {"X-Operation-Id": "the-upload", "Content-Type": "application/octet-stream"}
    async with client.post(f"{url}/v2/_sim/upload", data=data, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        got = await answer.json(content_type=None)
    assert got["size"] == len(BODY)
    return str(got["sha256"])


async def _chunks() -> AsyncIterator[bytes]:
    for start in range(0, len(BODY), 100_000):
        yield BODY[start : start + 100_000]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("way", WAYS)
async def test_an_upload_that_is_refused(way: str, chunked: bool) -> None:  # noqa: FBT001  a parameter
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        await upload(client, gate.url, chunked=chunked)
        before = await state(client, sim)
        memory = peak_memory(gate)
        await control(client, sim, "reset")
        await control(client, sim, "faults", WAYS[way], "PUT")
        assert await upload(client, gate.url, chunked=chunked) == DIGEST
        counted = await state(client, sim)
        replays = await metric(client, gate.admin, "zoom_gateway_replays_total")
        assert peak_memory(gate) - memory < 8 * MIB
    assert before["acted"] >= 1
    assert counted["endpoints"]["POST /v2/_sim/upload"] == 2
    assert counted["acted"] == 1
    assert counted["acted_twice"] == []
    assert counted["refusals"] == 1
    assert replays['{account="default",outcome="recovered"}'] == 1


async def test_a_body_beyond_the_disk_limit_is_forwarded_and_its_refusal_passed_on() -> None:
    small = {"ZOOM_GATEWAY_REPLAY__DISK_LIMIT": str(20 * MIB)}
    async with simulator() as sim, gateway(sim, **small) as gate, session() as client:
        assert await upload(client, gate.url, chunked=True) == DIGEST
        await control(client, sim, "faults", {"refuse_next": 1}, "PUT")
        async with client.post(f"{gate.url}/v2/_sim/upload", data=_chunks()) as answer:
            assert answer.status == 401
            assert (await answer.json())["code"] == 124
        replays = await metric(client, gate.admin, "zoom_gateway_replays_total")
        # The token was replaced all the same, for the others.
        async with client.get(f"{gate.url}/v2/users/me") as answer:
            assert answer.status == 200
    assert replays['{account="default",outcome="impossible"}'] == 1
