"""Gigabytes of recordings at once, to callers fast and slow: nothing of them stays."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Final

import aiohttp

from gateway.sim.recordings import content
from tests.e2e.test_uploads import peak_memory
from tests.soak.length import pick
from tests.support.load import session, state
from tests.support.processes import gateway, simulator

MIB: Final = 1 << 20
SIZE: Final = pick(short=400, long=4096) * MIB
"""Bytes of each download."""

SLOW: Final = 24 * MIB
"""Bytes of those whose callers stop now and then."""


async def digest_of(pieces: AsyncIterator[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    async for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


async def expected(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, MIB):
        yield content(start, min(MIB, size - start))
        await asyncio.sleep(0)


async def slowly(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    behind = 0
    async for piece in pieces:
        yield piece
        behind += len(piece)
        if behind > 2 * MIB:
            behind = 0
            await asyncio.sleep(0.05)


async def download(
    client: aiohttp.ClientSession, url: str, size: int, *, slow: bool = False
) -> tuple[int, str]:
    async with client.get(f"{url}/_hosts/us02web.zoom.us/rec/download/_sim-{size}") as answer:
        assert answer.status == 200
        pieces = answer.content.iter_any().__aiter__()
        return await digest_of(slowly(pieces) if slow else pieces)


async def test_gigabytes_of_recordings_leave_nothing() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        await asyncio.gather(*(download(client, gate.url, 4 * MIB) for _ in range(10)))
        memory = peak_memory(gate)
        fast = [download(client, gate.url, SIZE) for _ in range(2)]
        slow = [download(client, gate.url, SLOW, slow=True) for _ in range(8)]
        got = await asyncio.gather(*fast, *slow)
        whole, part = await digest_of(expected(SIZE)), await digest_of(expected(SLOW))
        assert got == [whole] * 2 + [part] * 8
        assert peak_memory(gate) - memory < 24 * MIB  # ten at a time, a MiB or two each
        seen = await state(client, sim)
        assert (seen["violations"], seen["tokens_to_storage"]) == ([], 0)
