"""What the gateway adds to a call: one connection, direct and through the gateway in turn.

    .venv/bin/python benchmarks/latency.py [--calls 2000] [--rounds 5]

Starts a simulator and a gateway as processes of their own, on loopback. Rounds alternate, so that
a machine whose speed drifts slows both.
"""

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.sim.client import basic
from tests.support.processes import gateway, simulator

TARGET = "/v2/users/me"


async def one_round(client: aiohttp.ClientSession, url: str, calls: int, token: str) -> list[float]:
    """Seconds of each call."""
    headers = {"Authorization": f"Bearer {token}"}
    durations = []
    for _ in range(calls):
        begun = time.perf_counter()
        async with client.get(url, headers=headers) as answer:
            await answer.read()
            assert answer.status == 200
        durations.append(time.perf_counter() - begun)
    return durations


def quantile(durations: list[float], share: float) -> float:
    return sorted(durations)[int(share * (len(durations) - 1))]


async def measure(calls: int, rounds: int) -> None:
    async with simulator("--mode", "multi") as sim, gateway(sim) as gate:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as client:
            token = await own_token(client, sim)
            both: dict[str, list[list[float]]] = {"direct": [], "gateway": []}
            for number in range(rounds + 1):
                for name, url in (("direct", sim), ("gateway", gate.url)):
                    durations = await one_round(client, url + TARGET, calls, token)
                    if number:  # the first one warms up
                        both[name].append(durations)
    report(both)


async def own_token(client: aiohttp.ClientSession, sim: str) -> str:
    form = {"grant_type": "account_credentials", "account_id": "demo-account"}
    headers = basic("demo-client", "demo-secret")
    async with client.post(f"{sim}/oauth/token", data=form, headers=headers) as answer:
        return str((await answer.json())["access_token"])


def report(both: dict[str, list[list[float]]]) -> None:
    print("| one connection | p50 ms | p99 ms |")
    print("|---|---|---|")
    at: dict[tuple[str, float], float] = {}
    for name, measured in both.items():
        for share in (0.5, 0.99):
            at[name, share] = statistics.median(quantile(one, share) for one in measured) * 1000
        print(f"| {name} | {at[name, 0.5]:.3f} | {at[name, 0.99]:.3f} |")
    added = [at["gateway", share] - at["direct", share] for share in (0.5, 0.99)]
    print(f"| added | {added[0]:.3f} | {added[1]:.3f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    asyncio.run(measure(options.calls, options.rounds))
