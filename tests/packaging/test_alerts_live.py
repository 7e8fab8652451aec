"""A real Prometheus scrapes real gateways: alerts fire when Zoom breaks, and end when it heals.

The rules are the chart's own, with shorter durations.
"""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.stores.certificates import Authority
from tests.support.load import control, session
from tests.support.processes import Gateway, gateway, simulator
from tests.support.prometheus import Prometheus, hasten, prometheus, until
from tests.support.redis_server import RedisServer, binary, redis_server

HELM = Path(__file__).resolve().parents[2] / "helm" / "files"
RULES = (HELM / "alerts.yaml").read_text()
DASHBOARD = json.loads((HELM / "dashboard.json").read_text())
EMPTY = {
    "Alerts",
    "Errors by route",
    "Calls without their scope",
    "Real tokens given away",
    "429s by Zoom",
    "Limited calls sent again",
    "Errors among Zoom's answers",
    "Waits of calls for their turn",
    "Calls without a turn",
}
"""Panels that show nothing while all is well."""

PLAN = "business"
"""What the simulator counts by, and the fleet paces itself by."""

FAST, SLOW = 240, 60
"""How many times faster than in earnest the rules are read. A busy machine misses a scrape now and
then, which must make nothing fire: `SLOW` where that is looked at."""

BRIEF = {"ZOOM_GATEWAY_TOKEN__WAIT_TIMEOUT": "1", "ZOOM_GATEWAY_TOKEN__MINT_TIMEOUT": "0.5"}
"""Calls that have no token are answered soon."""

LOOKS = 10
"""Scrapes after which a healthy gateway has shown that nothing fires."""


def address(gate: Gateway) -> str:
    return gate.admin.removeprefix("http://")


@asynccontextmanager
async def watching(
    directory: Path, client: aiohttp.ClientSession, *gates: Gateway, haste: int = FAST
) -> AsyncIterator[Prometheus]:
    """Prometheus, once it has seen the gateways in good health."""
    targets = [address(gate) for gate in gates]
    async with prometheus(directory, client, hasten(RULES, haste), *targets) as seen:

        async def well() -> bool:
            return await seen.value("sum(zoom_gateway_token_usable)") == len(gates)

        await until(well, "Prometheus sees every gateway with a token")
        yield seen


async def fires(seen: Prometheus, *names: str) -> None:
    """Wait until all of them fire together; what they say must be whole."""

    async def all_of_them() -> dict[str, dict[str, Any]]:
        found = await seen.firing()
        return found if set(names) <= found.keys() else {}

    found = await until(all_of_them, f"{names} fire")
    for name in names:
        alert = found[name]
        assert alert["labels"]["namespace"] == "prod", name
        text = " ".join(alert["annotations"].values())
        assert "<no value>" not in text
        assert "<error" not in text
        assert "account  " not in text


async def ends(seen: Prometheus, *names: str) -> None:
    async def none_of_them() -> bool:
        return not set(names) & (await seen.firing()).keys()

    await until(none_of_them, f"{names} end", 45)


@asynccontextmanager
async def traffic(
    client: aiohttp.ClientSession, gate: Gateway, callers: int = 1
) -> AsyncIterator[None]:
    """Ten calls a second, or two for each caller of several; whatever becomes of them."""
    pause = 0.1 if callers == 1 else 0.5

    async def call(number: int) -> None:
        await asyncio.sleep(pause * number / callers)  # not all at once
        while True:
            async with client.get(f"{gate.url}/v2/users/me") as answer:
                await answer.read()
            await asyncio.sleep(pause)

    tasks = [asyncio.create_task(call(number)) for number in range(callers)]
    try:
        yield
        assert not any(task.done() for task in tasks), tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@asynccontextmanager
async def fleet(sim: str, redis: RedisServer) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """A gateway of one process and one of two workers, which share their token."""
    shared = {"ZOOM_GATEWAY_STORE__URL": redis.url, "ZOOM_GATEWAY_RATELIMIT__PACE": PLAN}
    async with gateway(sim, **shared) as one, gateway(sim, "--workers", "2", **shared) as two:
        yield one, two


def certified(directory: Path, redis: RedisServer) -> dict[str, str]:
    """What makes one more replica of the fleet speak TLS."""
    issued = Authority(directory).issue("gateway.test", days=(-1, 89))
    return {
        "ZOOM_GATEWAY_STORE__URL": redis.url,
        "ZOOM_GATEWAY_TLS__CERTIFICATE_FILE": str(issued.certificate),
        "ZOOM_GATEWAY_TLS__KEY_FILE": str(issued.key),
    }


async def together(seen: Prometheus, replicas: int = 3) -> None:
    async def all_of_them() -> bool:
        return await seen.value("min(zoom_gateway_store_replicas)") == replicas

    await until(all_of_them, "replicas and workers see each other")


async def test_a_fleet_in_good_health(tmp_path: Path) -> None:
    """Everything is scraped, every panel has something to show, and nothing fires."""
    with redis_server(tmp_path) as redis:
        async with (
            simulator("--rate-plan", PLAN) as sim,
            fleet(sim, redis) as gates,
            gateway(sim, **certified(tmp_path, redis)) as secure,
            session() as client,
            watching(tmp_path, client, *gates, secure, haste=SLOW) as seen,
            traffic(client, gates[0]),
            traffic(client, gates[1]),
        ):
            await together(seen, 4)
            for gate in (*gates, secure):
                await scraped_whole(seen, client, gate)
            await panels_show(seen)

            async def looked() -> bool:
                return (await seen.value("min(count_over_time(up[5m]))") or 0) >= LOOKS

            await until(looked, f"{LOOKS} scrapes")
            assert await seen.firing() == {}
            for group in (await seen.get("rules"))["groups"]:
                for rule in group["rules"]:
                    assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule["name"]
    # What it says of samples that are out of order, twice there, or too old.
    assert "Error on ingesting" not in (tmp_path / "log").read_text()


async def scraped_whole(seen: Prometheus, client: aiohttp.ClientSession, gate: Gateway) -> None:
    target = f'{{instance="{address(gate)}"}}'

    async def whole() -> bool:
        """Twice the same series, or one that cannot be read, would be left out."""
        there = await series(client, gate)
        kept = await seen.value(f"scrape_samples_post_metric_relabeling{target}")
        return (await seen.value(f"up{target}"), kept) == (1, there)

    await until(whole, f"a scrape that takes all series of {gate.admin}")
    told: set[str] = set()

    async def described() -> bool:
        nonlocal told
        told = {one["metric"] for one in await seen.get("targets/metadata", match_target=target)}
        return "zoom_gateway_requests" in told  # in OpenMetrics a counter's family has no suffix

    await until(described, f"what Prometheus knows of the metrics of {gate.admin}")
    assert "zoom_gateway_requests_total" not in told


async def panels_show(seen: Prometheus) -> None:
    for panel in (panel for panel in DASHBOARD["panels"] if "targets" in panel):
        for target in panel["targets"]:
            expr = filled(target["expr"])

            async def shown(expr: str = expr) -> bool:
                return bool((await seen.get("query", query=expr))["result"])

            if panel["title"] in EMPTY:
                await shown()
            else:
                await until(shown, f"{panel['title']}: {expr}")


def filled(text: str) -> str:
    """An expression of the dashboard, with everything chosen."""
    for variable in ("$cluster", "$namespace", "$job", "$account"):
        text = text.replace(variable, ".*")
    return text.replace("$__rate_interval", "3s")


async def series(client: aiohttp.ClientSession, gate: Gateway) -> int:
    """How many series the page of metrics has."""
    async with client.get(f"{gate.admin}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(not line.startswith("#") for line in lines)


async def test_the_text_format_is_as_prometheus_wants_it() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        async with client.get(f"{gate.url}/v2/users/me") as answer:
            assert answer.status == 200
        async with client.get(f"{gate.admin}/metrics") as answer:
            body = await answer.read()
    assert lint(body) == (0, "")


def lint(body: bytes) -> tuple[int, str]:
    """What Prometheus' own tool finds in a page of metrics."""
    command = [binary("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=body, capture_output=True, check=False)
    return done.returncode, done.stderr.decode()


async def test_mints_that_fail_and_then_no_token(tmp_path: Path) -> None:
    async with (
        simulator("--token-life", "8") as sim,
        gateway(sim, **BRIEF) as gate,
        session() as client,
        watching(tmp_path, client, gate) as seen,
        traffic(client, gate, callers=20),
    ):
        await control(client, sim, "faults", {"mint_status": 503}, "PUT")
        await fires(
            seen, "ZoomGatewayMintsFail", "ZoomGatewayNoUsableToken", "ZoomGatewayManyErrors"
        )
        assert "ZoomGatewayCredentialsRefused" not in await seen.firing()
        await control(client, sim, "faults", None, "DELETE")
        await ends(
            seen, "ZoomGatewayMintsFail", "ZoomGatewayNoUsableToken", "ZoomGatewayManyErrors"
        )


async def test_credentials_that_zoom_refuses_until_they_are_corrected(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("demo-secret")
    files = {"ZOOM_CLIENT_SECRET": "", "ZOOM_CLIENT_SECRET_FILE": str(secret)}
    async with (
        simulator("--token-life", "8") as sim,
        gateway(sim, **files) as gate,
        session() as client,
        watching(tmp_path, client, gate) as seen,
    ):
        rotation = {"app": "demo-client", "client_secret": "rotated"}
        await control(client, sim, "rotate-secret", rotation)
        await control(client, sim, "config", {"overlap": False})
        await fires(seen, "ZoomGatewayCredentialsRefused", "ZoomGatewayNoUsableToken")
        secret.write_text("rotated")
        await ends(seen, "ZoomGatewayCredentialsRefused", "ZoomGatewayNoUsableToken")


async def test_new_tokens_that_zoom_refuses(tmp_path: Path) -> None:
    async with (
        simulator() as sim,
        gateway(sim) as gate,
        session() as client,
        watching(tmp_path, client, gate) as seen,
        traffic(client, gate),
    ):
        await control(client, sim, "faults", {"refuse_all": True}, "PUT")
        await fires(seen, "ZoomGatewayHoldoff", "ZoomGatewayRefusalsReachCallers")
        await control(client, sim, "faults", None, "DELETE")
        await ends(seen, "ZoomGatewayHoldoff", "ZoomGatewayRefusalsReachCallers")


async def test_another_program_that_mints(tmp_path: Path) -> None:
    async with (
        simulator() as sim,
        gateway(sim) as gate,
        session() as client,
        # It ends an hour later: not so long, in the test.
        watching(tmp_path, client, gate, haste=2 * FAST) as seen,
        traffic(client, gate),
    ):

        async def in_use() -> bool:
            """The death of a token that no call had used is nobody's fault."""
            return (await seen.value('sum(zoom_gateway_requests_total{status="200"})') or 0) > 0

        async def known() -> bool:
            """Of a replica that is new and alone the alert wants to know nothing yet."""
            return (await seen.value("count_over_time(zoom_gateway_build_info[5m])") or 0) >= LOOKS

        await until(in_use, "the token is in use")
        await until(known, f"{LOOKS} scrapes")
        await control(client, sim, "mint", {"app": "demo-client", "index": 0})
        await fires(seen, "ZoomGatewayForeignMint")
        await ends(seen, "ZoomGatewayForeignMint")


async def test_a_secret_that_is_only_the_previous_one(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not-yet")
    app = {
        "name": "default",
        "client_id": "demo-client",
        "client_secret_file": str(secret),
        "previous_client_secret": "demo-secret",
    }
    async with (
        simulator() as sim,
        gateway(
            sim, ZOOM_CLIENT_SECRET="", ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS=json.dumps([app])
        ) as gate,
        session() as client,
        watching(tmp_path, client, gate) as seen,
        traffic(client, gate),
    ):
        await fires(seen, "ZoomGatewayPreviousSecret")
        secret.write_text("demo-secret")
        await control(client, sim, "kill")  # the next mint is an hour away
        await ends(seen, "ZoomGatewayPreviousSecret")


async def test_a_store_that_is_down_and_replicas_that_are(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis:
        async with (
            simulator() as sim,
            fleet(sim, redis) as (one, two),
            session() as client,
            watching(tmp_path, client, one, two) as seen,
        ):
            await together(seen)
            redis.kill()
            await fires(seen, "ZoomGatewayStoreDown")

            async def both() -> bool:
                alert = (await seen.firing()).get("ZoomGatewayStoreDown", {})
                told = alert.get("annotations", {}).get("summary", "")
                return bool(told == "The token store is down for 2 replica(s).")

            await until(both, "one alert tells of both")
            assert "ZoomGatewayNoUsableToken" not in await seen.firing()
            redis.start()
            await ends(seen, "ZoomGatewayStoreDown")
            await one.kill()
            await fires(seen, "ZoomGatewayReplicaDown")
            two.signal(signal.SIGINT)
            await two.ended()
            await fires(seen, "ZoomGatewayAbsent")
