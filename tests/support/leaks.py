"""What a block leaves behind in this process: tasks, descriptors, objects, unretrieved errors."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.web.connection import Connection as CallersConnection
from gateway.web.spool import Spool
from gateway.zoom.upstream.answer import HttpAnswer
from gateway.zoom.upstream.connection import Connection as ZoomsConnection
from gateway.zoom.upstream.sender import BodySender

KINDS = (CallersConnection, Spool, HttpAnswer, ZoomsConnection, BodySender)

DEADLINE = 10.0


def _alive() -> Counter[str]:
    gc.collect()
    return Counter(type(one).__qualname__ for one in gc.get_objects() if isinstance(one, KINDS))


def _descriptors() -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        found["deleted" if target.endswith("(deleted)") else target.partition(":")[0]] += 1
    return found


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """After the block all is as it was before: poll, up to a deadline."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, said: complaints.append(said))
    tasks, descriptors, objects = asyncio.all_tasks(), _descriptors(), _alive()
    yield
    end = loop.time() + DEADLINE
    while True:
        more = (
            asyncio.all_tasks() - tasks,
            {kind: n for kind, n in _descriptors().items() if n > descriptors[kind]},
            _alive() - objects,
        )
        if not any(more):
            break
        assert loop.time() < end, f"left behind: {more}"
        await asyncio.sleep(0.01)
    assert complaints == [], complaints
