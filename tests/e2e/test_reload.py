"""SIGHUP: another configuration, and nobody notices."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.support.load import control, counted, session, state, steady
from tests.support.processes import Gateway, environment, eventually, simulator
from tests.support.raw_http import Caller

MAIN = {"client_id": "demo-client", "client_secret": "demo-secret"}
SECOND = {"client_id": "demo-client-2", "client_secret": "demo-secret-2"}


def account(app: Mapping[str, Any], account_id: str = "demo-account") -> dict[str, Any]:
    return {"account_id": account_id, "apps": [dict(app)]}


class Configured:
    """A gateway whose file is written, and read, again and again."""

    def __init__(self, file: Path, base: Mapping[str, Any]) -> None:
        self.file = file
        self._base = base
        self.gate: Gateway
        self._reloads = 0

    def write(self, **sections: Any) -> None:
        # YAML takes JSON. In one step, as editors and Kubernetes replace files.
        fresh = self.file.with_suffix(".fresh")
        fresh.write_text(json.dumps({**self._base, **sections}))
        fresh.replace(self.file)

    async def reload(self, **sections: Any) -> list[str]:
        """Write the file and wait until it is in force; what changed."""
        self.write(**sections)
        return list((await self.hang_up("reloaded"))["changed"])

    async def hang_up(self, event: str) -> dict[str, Any]:
        before = len(self.gate.logged(event))
        self.gate.signal(signal.SIGHUP)
        said = len(self.gate.lines)
        await eventually(
            lambda: len(self.gate.logged(event)) > before,
            f"{event} in {self.gate.lines[said:][:20]}",
        )
        return self.gate.logged(event)[-1]

    async def status(self) -> Any:
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"{self.gate.admin}/status.json") as got,
        ):
            return await got.json()

    async def generations(self) -> dict[str, int]:
        return {one["name"]: one["generation"] for one in (await self.status())["accounts"]}


@asynccontextmanager
async def configured(
    sim: str, tmp_path: Path, *options: str, **sections: Any
) -> AsyncIterator[Configured]:
    base = {
        "listen": {"port": 0},
        "admin": {"port": 0},
        "upstream": {"api_url": sim, "token_url": f"{sim}/oauth/token"},
        "accounts": {"default": account(MAIN)},
        "drain": {"delay": 0},
    }
    made = Configured(tmp_path / "gateway.yaml", base)
    made.write(**sections)
    child = await Gateway.start(
        "serve", "--config", str(made.file), *options, env=environment(TMPDIR=str(tmp_path))
    )
    assert isinstance(child, Gateway)
    made.gate = child
    try:
        await child.listening()
        yield made
    finally:
        await child.kill()


async def status_of(url: str, **headers: str) -> int:
    async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
        await answer.read()
        return answer.status


async def test_no_call_is_lost_however_often_the_configuration_changes(tmp_path: Path) -> None:
    async with simulator() as sim, session() as client, configured(sim, tmp_path) as made:
        url = f"{made.gate.url}/v2/users/me"
        assert await status_of(url) == 200
        address = urlsplit(made.gate.url)
        request = b"GET /v2/users/me HTTP/1.1\r\nHost: x\r\n\r\n"
        async with await Caller.connect((str(address.hostname), int(address.port or 0))) as kept:
            assert (await kept.call(request)).status == 200
            load = asyncio.create_task(steady(client, url, 200, 3))
            upstream = {"api_url": sim, "token_url": f"{sim}/oauth/token", "connect_timeout": 4}
            two_slots = account({**MAIN, "token_indexes": [0, 1]})
            told = []
            for sections in (
                {"token": {"rotate_at": 0.7}},
                {"token": {"rotate_at": 0.7}, "replay": {"memory_limit": 1000}},
                {"upstream": upstream},
                {"accounts": {"default": two_slots}},
                {"accounts": {"default": account(MAIN), "other": account(SECOND)}},
            ):
                told.append(await made.reload(**sections))
                await asyncio.sleep(0.1)
            tally = await load
            assert (await kept.call(request)).status == 200
        assert tally.statuses == {200: 600}
        assert told == [
            ["token"],
            ["replay"],
            ["upstream", "token", "replay"],
            ["upstream", "accounts.default"],
            ["accounts.default", "accounts.other"],
        ]
        after = await state(client, sim)
    assert after["violations"] == []
    # The token outlived it all; the second slot and the second account have theirs.
    assert after["mints"]["by_slot"]["demo-client/0"] == 1


async def test_names_and_pages_that_may_call_change_at_once(tmp_path: Path) -> None:
    async with simulator() as sim, configured(sim, tmp_path) as made:
        call, status = f"{made.gate.url}/v2/users/me", f"{made.gate.admin}/status.json"
        page = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
        for url in (call, status):
            assert await status_of(url, Host="zoom.example.com") == 403
        assert await status_of(call, **page) == 403
        access = {"hosts": ["*.example.com"], "origins": ["http://localhost:3000"]}
        assert await made.reload(access=access) == ["access"]
        for url in (call, status):
            assert await status_of(url, Host="zoom.example.com") == 200
            assert await status_of(url, Host="zoom.example.org") == 403
        assert await status_of(call, **page) == 200
        assert await made.reload() == ["access"]
        assert await status_of(call, Host="zoom.example.com") == 403


async def test_a_configuration_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    async with simulator() as sim, configured(sim, tmp_path) as made:
        url = f"{made.gate.url}/v2/users/me"
        assert await status_of(url) == 200
        made.write(token={"rotate_at": 7}, listen={"prot": 1})
        failed = await made.hang_up("reload_failed")
        assert failed["level"] == "error"
        assert any(problem.startswith("token.rotate_at") for problem in failed["problems"])
        assert any(problem.startswith("listen.prot") for problem in failed["problems"])
        made.file.write_text("{")
        (problem,) = (await made.hang_up("reload_failed"))["problems"]
        assert problem.startswith(f"{made.file}: line 1")
        secret = tmp_path / "secret"
        app = {"client_id": "demo-client", "client_secret_file": str(secret)}
        made.write(accounts={"default": account(app)})
        (problem,) = (await made.hang_up("reload_failed"))["problems"]
        assert str(secret) in problem
        assert await status_of(url) == 200
        assert await made.generations() == {"default": 1}
        # And once it can be used, it is.
        secret.write_text("demo-secret\n")
        assert (await made.hang_up("reloaded"))["changed"] == ["accounts.default"]
        assert await status_of(url) == 200
        # The same app and account: its token is as good as it was.
        assert await made.generations() == {"default": 1}


async def test_accounts_come_and_go(tmp_path: Path) -> None:
    async with simulator() as sim, session() as client, configured(sim, tmp_path) as made:
        url, admin = made.gate.url, made.gate.admin
        assert await status_of(f"{url}/v2/users/me") == 200
        assert await status_of(f"{url}/@sales/v2/users/me") == 404
        both = {"default": account(MAIN), "sales": account(SECOND)}
        assert await made.reload(accounts=both) == ["accounts.sales"]
        async with client.get(f"{admin}/metrics") as answer:
            text = await answer.text()
        assert 'zoom_gateway_replays_total{account="sales",outcome="recovered"} 0.0' in text
        assert await status_of(f"{url}/@sales/v2/users/me") == 200
        assert await made.generations() == {"default": 1, "sales": 1}

        # One that goes finishes what it has in hand, even if its token is refused meanwhile.
        await control(client, sim, "faults", {"delay": 1.5}, "PUT")
        await control(client, sim, "kill", {"app": "demo-client-2", "index": 0})
        slow = asyncio.create_task(status_of(f"{url}/@sales/v2/users/me"))
        await counted(client, sim, "calls", 3)
        assert await made.reload() == ["accounts.sales"]
        assert await status_of(f"{url}/@sales/v2/users/me") == 404
        assert await slow == 200
        assert await made.generations() == {"default": 1}
        assert (await state(client, sim))["mints"]["by_slot"] == {
            "demo-client/0": 1,
            "demo-client-2/0": 2,
        }
    assert made.gate.logged("defect") == []


async def test_an_account_that_gets_another_app_does_not_mint_against_its_past(
    tmp_path: Path,
) -> None:
    async with simulator() as sim, session() as client, configured(sim, tmp_path) as made:
        url = f"{made.gate.url}/v2/users/me"
        assert await status_of(url) == 200
        await control(client, sim, "faults", {"delay": 2.0}, "PUT")
        slow = asyncio.create_task(status_of(url))
        await counted(client, sim, "calls", 2)
        await control(client, sim, "faults", None, "DELETE")
        assert await made.reload(accounts={"default": account(SECOND)}) == ["accounts.default"]
        tally = await steady(client, url, 50, 1)
        assert await slow == 200
        assert tally.statuses == {200: 50}
        assert (await state(client, sim))["mints"]["by_slot"] == {
            "demo-client/0": 1,
            "demo-client-2/0": 1,
        }
        told = {entry["event"] for entry in map(json.loads, made.gate.lines)}
    assert told == {"started", "call", "token_minted", "reloaded"}


async def test_what_only_a_restart_applies_is_named_and_the_log_changes_at_once(
    tmp_path: Path,
) -> None:
    async with simulator() as sim, configured(sim, tmp_path) as made:
        url = f"{made.gate.url}/v2/users/me"
        made.write(listen={"port": 1}, log={"level": "warning"}, admin={"host": "127.0.0.2"})
        told = await made.hang_up("restart_needed")
        assert told["level"] == "warning"
        assert told["changed"] == ["listen.port", "admin.host", "admin.port"]
        assert await status_of(url) == 200
        assert made.gate.logged("call") == []
        made.write(log={"level": "debug", "format": "console"})
        made.gate.signal(signal.SIGHUP)
        await made.gate.wait_for_line("The configuration was read again; changed: log")
        made.write()
        made.gate.signal(signal.SIGHUP)
        await eventually(lambda: made.gate.logged("reloaded"), "JSON again")
        assert await status_of(url) == 200
        await eventually(lambda: made.gate.logged("call"), "a line for the call")


async def test_a_hangup_at_any_time_ends_nothing(tmp_path: Path) -> None:
    async with simulator() as sim, session() as client:
        await control(client, sim, "faults", {"delay": 1.5}, "PUT")
        async with configured(sim, tmp_path, drain={"delay": 0.5}) as made:
            for number in range(5):
                made.write(token={"wait_timeout": 8 + number}, drain={"delay": 0.5})
                made.gate.signal(signal.SIGHUP)
            await eventually(lambda: made.gate.logged("reloaded"), "the configuration in force")
            call = asyncio.create_task(status_of(f"{made.gate.url}/v2/users/me"))
            await counted(client, sim, "calls", 1)
            made.gate.signal(signal.SIGTERM)
            await made.gate.wait_for_line('"event":"draining"')
            made.write(accounts={"other": account(SECOND)})
            made.gate.signal(signal.SIGHUP)
            made.gate.signal(signal.SIGHUP)
            assert await call == 200
            assert await made.gate.ended() == 0
            assert made.gate.logged("defect") == []


async def test_workers_all_read_it_and_one_that_is_replaced_reads_what_is_in_force(
    tmp_path: Path,
) -> None:
    async with (
        simulator() as sim,
        session() as client,
        configured(sim, tmp_path, "--workers", "2") as made,
    ):
        url = f"{made.gate.url}/@sales/v2/users/me"
        assert {await status_of(url) for _ in range(10)} == {404}
        both = {"default": account(MAIN), "sales": account(SECOND)}
        assert await made.reload(accounts=both) == ["accounts.sales"]
        assert {await status_of(url) for _ in range(20)} == {200}
        after = await state(client, sim)
        assert after["mints"]["by_slot"] == {"demo-client/0": 1, "demo-client-2/0": 1}
        made.write(token={"rotate_at": 7})
        failed = await made.hang_up("reload_failed")
        assert [problem.partition(":")[0] for problem in failed["problems"]] == ["token.rotate_at"]
        assert len(made.gate.logged("reload_failed")) == 1
        os.kill(made.gate.logged("worker_started")[0]["pid"], signal.SIGKILL)
        await eventually(lambda: len(made.gate.logged("worker_started")) == 3, "a new worker")
        assert {await status_of(url) for _ in range(20)} == {200}
        made.write(listen={"port": 1})
        assert (await made.hang_up("restart_needed"))["changed"] == ["listen.port"]
        assert (await made.hang_up("reloaded"))["changed"] == []
        assert len(made.gate.logged("reloaded")) == 3
