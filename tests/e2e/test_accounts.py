"""Several accounts in one gateway: each on its own, added and taken away while it runs."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.e2e.test_reload import MAIN, SECOND, Configured, account, configured, status_of
from tests.support.load import control, session, state
from tests.support.processes import simulator
from tests.support.raw_http import Caller

SLOW = {"api_delay_paths": [{"path": "GET /v2/users/{userId}", "delay": 3}]}


async def metrics(client: aiohttp.ClientSession, made: Configured) -> list[str]:
    async with client.get(f"{made.gate.admin}/metrics") as answer:
        return (await answer.text()).splitlines()


async def about(client: aiohttp.ClientSession, made: Configured, name: str) -> list[str]:
    return [line for line in await metrics(client, made) if f'account="{name}"' in line]


async def in_hand(client: aiohttp.ClientSession, made: Configured, count: int) -> None:
    async with asyncio.timeout(30):
        while f"zoom_gateway_inflight_requests {count}.0" not in await metrics(client, made):
            await asyncio.sleep(0.02)


def two(**changes: Any) -> dict[str, Any]:
    return {"default": account(MAIN), "other": {**account(SECOND), **changes}}


async def test_an_account_that_is_stuck_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with (
        simulator() as sim,
        session() as client,
        configured(sim, tmp_path, accounts=two(), limits={"calls": 4}) as made,
    ):
        await made.generations()
        users = f"{made.gate.url}/@other/v2/users"
        assert await status_of(users) == 200
        assert await status_of(f"{made.gate.url}/v2/users") == 200
        await control(client, sim, "faults", SLOW, "PUT")
        stuck = [asyncio.create_task(status_of(f"{users}/me")) for _ in range(2)]

        async def refused() -> bool:
            async with client.get(users) as answer:
                return answer.headers.get("X-Zoom-Gateway-Error") == "too_many_calls"

        await in_hand(client, made, 2)
        assert await refused()
        assert await status_of(f"{made.gate.url}/v2/users") == 200
        told = await metrics(client, made)
        assert 'zoom_gateway_limit{limit="calls_per_account"} 2.0' in told
        assert made.gate.logged("limit_reached")[0]["limit"] == "calls_per_account"
        assert [await one for one in stuck] == [200, 200]
        assert await status_of(users) == 200
        # A share of its own, and its token stays.
        assert await made.reload(accounts=two(calls=1), limits={"calls": 4}) == ["accounts.other"]
        stuck = [asyncio.create_task(status_of(f"{users}/me"))]
        await in_hand(client, made, 1)
        assert await refused()
        assert [await one for one in stuck] == [200]
        assert (await state(client, sim))["mints"]["total"] == 2


async def test_an_account_that_is_taken_away_ends_without_the_others_noticing(
    tmp_path: Path,
) -> None:
    store = {"url": f"file://{tmp_path / 'store'}"}
    async with (
        simulator() as sim,
        session() as client,
        configured(sim, tmp_path, accounts=two(), store=store) as made,
    ):
        address = urlsplit(made.gate.url)
        url = f"{made.gate.url}/@other/v2/users"
        assert {await status_of(url), await status_of(f"{made.gate.url}/v2/users")} == {200}
        before = await made.generations()
        async with await Caller.connect((str(address.hostname), int(address.port or 0))) as kept:
            request = b"GET /v2/users HTTP/1.1\r\nHost: x\r\n\r\n"
            assert (await kept.call(request)).status == 200
            await control(client, sim, "faults", SLOW, "PUT")
            under_way = asyncio.create_task(status_of(f"{url}/me"))
            others = asyncio.create_task(status_of(f"{made.gate.url}/v2/users/me"))

            await in_hand(client, made, 2)
            changed = await made.reload(accounts={"default": account(MAIN)}, store=store)
            assert changed == ["accounts.other"]
            assert await status_of(url) == 404
            # A call under way ends as it would have.
            assert [await under_way, await others] == [200, 200]
            assert (await kept.call(request)).status == 200
        async with asyncio.timeout(30):
            while await about(client, made, "other"):
                await asyncio.sleep(0.02)
        assert await about(client, made, "default")
        assert await made.generations() == {"default": before["default"]}
        # Its token is kept: who comes back goes on with it.
        assert list((tmp_path / "store").glob("*other*"))
        assert await made.reload(accounts=two(), store=store) == ["accounts.other"]
        assert await status_of(url) == 200
        assert await made.generations() == before
        assert await about(client, made, "other")
        assert (await state(client, sim))["mints"]["total"] == 2
        assert made.gate.logged("defect") == []


async def test_with_workers_its_series_end_too(tmp_path: Path) -> None:
    async with (
        simulator() as sim,
        session() as client,
        configured(sim, tmp_path, "--workers", "2", accounts=two()) as made,
    ):
        assert await status_of(f"{made.gate.url}/@other/v2/users") == 200
        assert await about(client, made, "other")
        made.write(accounts={"default": account(MAIN)})
        await made.hang_up("reloaded")
        async with asyncio.timeout(30):
            while await about(client, made, "other"):
                await asyncio.sleep(0.02)
        assert await about(client, made, "default")


async def test_a_name_that_is_none_tells_of_no_other(tmp_path: Path) -> None:
    async with (
        simulator() as sim,
        session() as client,
        configured(sim, tmp_path, accounts=two()) as made,
    ):
        said = set()
        for path, headers in (
            ("/@nobody/v2/users", {}),
            ("/@othe/v2/users", {}),
            ("/@OTHER/v2/users", {}),
            ("/@other%20/v2/users", {}),
            ("/v2/users", {"X-Zoom-Account": "nobody"}),
            ("/@nobody/oauth/token", {}),
        ):
            async with client.request(
                "POST" if "oauth" in path else "GET", f"{made.gate.url}{path}", headers=headers
            ) as answer:
                assert answer.status in {400, 404}, path
                body = await answer.text()
                if answer.status == 404:
                    said.add(body)
                assert "other" not in body
                assert "default" not in body
        (only,) = said
        assert json.loads(only)["code"] == 404
