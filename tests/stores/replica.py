"""Another process that uses a file store: `python -m tests.stores.replica DIRECTORY TASK [NUMBER]`.

It prints what it did as one line of JSON.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path
from typing import Any

from gateway.core.errors import StoreUnavailableError
from gateway.stores.file import FileStore

LARGE: dict[str, Any] = {"text": "x" * 200_000}


async def count(store: FileStore, times: int) -> object:
    """Add one, `times` times, and never lose another's."""
    for _ in range(times):
        while True:
            found = await store.read("acc")
            document = {"n": (found.document or {"n": 0})["n"] + 1}  # type: ignore[operator]
            if await store.write("acc", document, revision=found.revision):
                break
    return "counted"


async def lease(store: FileStore, times: int) -> object:
    """Take the lease `times` times; tell the numbers of the fences, and publish each under it."""
    fences: list[int] = []
    while len(fences) < times:
        mine = await store.acquire("acc", "child", 30.0)
        if mine is None:
            await asyncio.sleep(0)
            continue
        found = await store.read("acc")
        document: dict[str, Any] = {"fence": mine.fence.number}
        assert await store.write("acc", document, revision=found.revision, fence=mine.fence)
        fences.append(mine.fence.number)
        await store.release(mine)
    return fences


async def churn(store: FileStore, times: int) -> object:
    """Write large documents until killed; `times` counts nothing."""
    del times
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        revision = (await store.read("acc")).revision
        await store.write("acc", LARGE, revision=revision)


async def overflow(store: FileStore, times: int) -> object:
    """Write more than a file may hold here, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (times, times))
    revision = (await store.read("acc")).revision
    try:
        await store.write("acc", LARGE, revision=revision)
    except StoreUnavailableError as error:
        return str(error)
    return "written"


TASKS = {"count": count, "lease": lease, "churn": churn, "overflow": overflow}


async def main(directory: str, task: str, number: str = "0") -> None:
    store = FileStore(Path(directory), lambda line: sys.exit(f"unexpected: {line}"))
    sys.stdout.write(json.dumps(await TASKS[task](store, int(number))) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
