"""Bodies that arrive piece by piece."""

import asyncio
from collections.abc import AsyncIterator


async def pieces(size: int, chunk: int, pause: float) -> AsyncIterator[bytes]:
    """Yield `size` bytes in pieces of `chunk`, with `pause` seconds between two."""
    sent = 0
    while sent < size:
        if sent and pause > 0:
            await asyncio.sleep(pause)
        length = min(chunk, size - sent)
        yield b"z" * length
        sent += length
