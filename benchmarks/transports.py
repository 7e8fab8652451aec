"""The HTTP client towards Zoom, and what it could be instead: CPU for one call, in one process.

    .venv/bin/python benchmarks/transports.py [--calls 20000] [--rounds 5]

Starts nginx, whose 400-byte answer all get, with 32 calls under way at any time. Rounds alternate.
`aiohttp, tuned` is `ClientSession` with what makes it cheaper: no limit of connections, no
decompression, no headers of its own, a target that is passed on encoded.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import aiohttp
import uvloop
from yarl import URL

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support import configs
from benchmarks.support.machine import cores, free_port, running
from gateway.ports import UpstreamRequest
from gateway.zoom.upstream import HttpUpstream

TARGET: Final = "/v2/users/me"
AT_ONCE: Final = 32
TOKEN: Final = "Bearer " + "x" * 600
FIELDS: Final = (("User-Agent", "wrk"), ("Accept", "*/*"), ("Authorization", TOKEN))

Call = Callable[[], Awaitable[int]]
"""Makes one call; gives the length of the answer's body."""


@contextlib.asynccontextmanager
async def own(authority: str) -> AsyncIterator[Call]:
    upstream = HttpUpstream(f"http://{authority}")
    fields = [(name.encode(), value.encode()) for name, value in FIELDS]
    fields.append((b"Host", authority.encode()))

    async def call() -> int:
        request = UpstreamRequest("GET", TARGET.encode(), fields, None, fresh=False)
        answer = await upstream.send(request)
        body = answer.whole(1 << 16)
        if body is None:
            body = b"".join([piece async for piece in answer.chunks()])
            await answer.close()
        return len(body)

    yield call
    await upstream.close()


@contextlib.asynccontextmanager
async def plain(authority: str) -> AsyncIterator[Call]:
    async with aiohttp.ClientSession() as session:

        async def call() -> int:
            url = f"http://{authority}{TARGET}"
            async with session.get(url, headers=dict(FIELDS)) as answer:
                return len(await answer.read())

        yield call


@contextlib.asynccontextmanager
async def tuned(authority: str) -> AsyncIterator[Call]:
    connector = aiohttp.TCPConnector(limit=0, use_dns_cache=True)
    url = URL(f"http://{authority}{TARGET}", encoded=True)
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:

        async def call() -> int:
            async with session.request("GET", url, headers=FIELDS, allow_redirects=False) as answer:
                return len(await answer.read())

        yield call


CANDIDATES: Final = {"own client": own, "aiohttp, tuned": tuned, "aiohttp as it comes": plain}


async def load(call: Call, calls: int) -> float:
    """Microseconds of this process's processor time for each."""

    async def repeat(times: int) -> None:
        for _ in range(times):
            if await call() < 1:
                raise RuntimeError("an empty answer")

    begun = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(repeat(calls // AT_ONCE))
    return (time.process_time() - begun) / (calls // AT_ONCE * AT_ONCE) * 1e6


async def compare(authority: str, calls: int, rounds: int) -> dict[str, list[float]]:
    """By candidate what each round cost."""
    costs: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    async with contextlib.AsyncExitStack() as stack:
        made = {
            name: await stack.enter_async_context(candidate(authority))
            for name, candidate in CANDIDATES.items()
        }
        for number in range(rounds + 1):
            for name, call in made.items():
                cost = await load(call, calls)
                if number:  # the first one warms up
                    costs[name].append(cost)
    return costs


def report(costs: dict[str, list[float]]) -> None:
    first = costs[next(iter(CANDIDATES))]
    print("| client | CPU a call, µs (least to most) | against the first |")
    print("| --- | ---: | ---: |")
    for name, each in costs.items():
        ratio = statistics.median(b / a for a, b in zip(first, each, strict=True))
        middle, low, high = statistics.median(each), min(each), max(each)
        print(f"| {name} | {middle:.1f} ({low:.1f} to {high:.1f}) | {ratio:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        file = Path(folder) / "api.conf"
        file.write_text(configs.api_nginx(Path(folder), port))
        with running(("nginx", "-p", folder, "-c", file), cores().load) as api:
            api.listens(port)
            report(uvloop.run(compare(f"127.0.0.1:{port}", options.calls, options.rounds)))


if __name__ == "__main__":
    main()
