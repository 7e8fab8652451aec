"""A real Prometheus of the test's own, on a free port, ended by its id."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.support.processes import DEADLINE
from tests.support.redis_server import binary, free_port

SCRAPE = "400ms"
"""Between scrapes, and between looks at the rules."""

SHORTEST = 1500
"""Milliseconds that a range spans at least: several scrapes on a busy machine."""

LEAST = {"[": SHORTEST, "offset ": SHORTEST, ":": 200}
"""The same for what follows: a range, a shift, the step between the looks of a subquery."""

_DURATION = re.compile(r"(\d+)([dhms])\b")
_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}


def hasten(rules: str, haste: int) -> str:
    """The same rules with all durations `haste` times shorter: a test cannot wait for minutes.

    Numbers in comparisons, seconds among them, stay as they are.
    """
    document = yaml.safe_load(rules)
    for rule in (rule for group in document["groups"] for rule in group["rules"]):
        rule["expr"] = re.sub(
            r"(\[|:|offset )([0-9]\w*)",
            lambda found: f"{found[1]}{_shorter(found[2], haste, LEAST[found[1]])}",
            rule["expr"],
        )
        if "for" in rule:
            rule["for"] = _shorter(rule["for"], haste, 0)
    return yaml.safe_dump(document)


def _shorter(duration: str, haste: int, least: int) -> str:
    parts = _DURATION.findall(duration)
    assert "".join(number + unit for number, unit in parts) == duration
    whole = sum(int(number) * _UNITS[unit] for number, unit in parts)
    return f"{max(least, whole // haste)}ms"


class Prometheus:
    """Its HTTP API."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self.url = url

    async def get(self, path: str, **params: str) -> Any:
        plain = {"Accept-Encoding": "identity"}
        url = f"{self.url}/api/v1/{path}"
        async with self._client.get(url, params=params, headers=plain) as answer:
            body = await answer.json()
            assert body["status"] == "success", body
            return body["data"]

    async def value(self, query: str) -> float | None:
        """The one sample that the query gives now; None if there is none."""
        found = (await self.get("query", query=query))["result"]
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    async def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire, by name."""
        found = (await self.get("alerts"))["alerts"]
        return {one["labels"]["alertname"]: one for one in found if one["state"] == "firing"}


async def until(holds: Callable[[], Awaitable[Any]], what: str, seconds: float = DEADLINE) -> Any:
    """Poll until `holds()` gives something true, and give that."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := await holds()):
                await asyncio.sleep(0.05)
            return found
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None


def _configuration(targets: Sequence[str], rules: Path) -> str:
    scrape = {
        "job_name": "gateway",
        "static_configs": [{"targets": list(targets), "labels": {"namespace": "prod"}}],
    }
    whole = {
        "global": {
            "scrape_interval": SCRAPE,
            "scrape_timeout": SCRAPE,
            "evaluation_interval": SCRAPE,
        },
        "rule_files": [str(rules)],
        "scrape_configs": [scrape],
    }
    return json.dumps(whole)


async def _start(directory: Path, port: int) -> asyncio.subprocess.Process:
    log = (directory / "log").open("wb")
    with log:
        return await asyncio.create_subprocess_exec(
            binary("prometheus"),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            # What is not scraped any more is soon gone, as are the rules' durations.
            "--query.lookback-delta=2500ms",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


@asynccontextmanager
async def prometheus(
    directory: Path, client: aiohttp.ClientSession, rules: str, *targets: str
) -> AsyncIterator[Prometheus]:
    """One that scrapes `targets`, addresses `host:port`, and evaluates `rules`."""
    (directory / "rules.yml").write_text(rules)
    (directory / "prometheus.yml").write_text(_configuration(targets, directory / "rules.yml"))
    port = free_port()
    child = await _start(directory, port)
    server = Prometheus(client, f"http://127.0.0.1:{port}")

    async def ready() -> bool:
        assert child.returncode is None, (directory / "log").read_text()
        try:
            async with client.get(f"{server.url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    try:
        await until(ready, "Prometheus is ready")
        yield server
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
