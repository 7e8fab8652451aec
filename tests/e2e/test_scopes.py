"""Zoom refuses a call for want of a scope: it is told once, shown, and gone when it is there."""

from typing import Any

import aiohttp
import pytest

from tests.e2e.test_rotate_on_request import ALLOWED, grows, rotate
from tests.support.load import control, session, state
from tests.support.processes import Gateway, environment, eventually, gateway, simulator

NEEDED = "user:read:list_users:admin"
BEFORE = "user:read:user:admin"


async def get(client: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    async with client.get(url) as answer:
        return answer.status, await answer.json()


async def account(client: aiohttp.ClientSession, gate: Gateway) -> Any:
    _, body = await get(client, f"{gate.admin}/status.json")
    assert body["state"] == "ok"
    return body["accounts"][0]


async def codes(client: aiohttp.ClientSession, gate: Gateway) -> list[str]:
    return [one["code"] for one in (await account(client, gate))["diagnoses"]]


async def demand(client: aiohttp.ClientSession, sim: str, scope: str = BEFORE) -> None:
    await control(
        client, sim, "config", {"required_scopes": {"GET /v2/users": [NEEDED]}, "scope": scope}
    )


async def printed(gate: Gateway) -> str:
    child = await Gateway.start("status", "--url", gate.admin, env=environment())
    assert await child.ended() == 0
    return child.output


async def test_the_scope_that_was_added_comes_with_rotate_now() -> None:
    async with simulator() as sim, session() as client:
        await demand(client, sim)
        async with gateway(sim, **ALLOWED) as gate:
            users = f"{gate.url}/v2/users"
            for _ in range(3):
                status, body = await get(client, users)
                assert (status, body["code"]) == (400, 4711)
            assert (await get(client, f"{gate.url}/v2/users/me"))[0] == 200
            await eventually(lambda: bool(gate.logged("scope_missing")), "the line")
            (line,) = gate.logged("scope_missing")
            assert (line["level"], line["account"]) == ("warning", "default")
            assert (line["method"], line["route"], line["scopes"]) == ("GET", "/v2/users", [NEEDED])
            assert NEEDED in line["message"]

            shown = await account(client, gate)
            (missing,) = shown["missing_scopes"]
            assert (missing["route"], missing["scopes"]) == ("/v2/users", [NEEDED])
            assert missing["count"] == 3
            (notice,) = [one for one in shown["diagnoses"] if one["code"] == "scope_missing"]
            assert notice["severity"] == "notice"
            assert notice["sentence"] == (
                f"Zoom refuses GET /v2/users: the token lacks the scope {NEEDED}."
            )
            assert "Zoom Marketplace" in notice["advice"]
            async with client.get(f"{gate.admin}/metrics") as answer:
                told = await answer.text()
            assert 'zoom_gateway_scope_refusals_total{account="default"} 3.0' in told
            async with client.get(f"{gate.admin}/") as answer:
                assert f"lacks the scope {NEEDED}" in await answer.text()

            assert f"lacks the scope {NEEDED}" in await printed(gate)

            # Added at Zoom; the token in use is older.
            await demand(client, sim, f"{BEFORE} {NEEDED}")
            assert (await get(client, users))[0] == 400
            assert (await rotate(client, gate))[0] == 202
            await grows(client, gate, 2)
            assert "scope_missing" not in await codes(client, gate)
            assert (await get(client, users))[0] == 200
            shown = await account(client, gate)
            assert (shown["missing_scopes"], len(gate.logged("scope_missing"))) == ([], 1)
        assert (await state(client, sim))["mints"]["total"] == 2


@pytest.mark.parametrize(
    "form",
    [{"status": 401, "code": 201}, {"status": 400, "code": 4700}, {"status": 400, "code": 104}],
)
async def test_it_is_gone_when_zoom_accepts_the_operation(form: dict[str, int]) -> None:
    async with simulator() as sim, session() as client:
        lacking = {"GET /v2/users": ["user:read:list_users", NEEDED]}
        await control(client, sim, "config", {"missing_scopes": lacking})
        await control(client, sim, "faults", {"scope_error": form}, "PUT")
        async with gateway(sim) as gate:
            users = f"{gate.url}/v2/users"
            status, body = await get(client, users)
            assert (status, body["code"]) == (form["status"], form["code"])
            await eventually(lambda: bool(gate.logged("scope_missing")), "the line")
            assert "scope_missing" in await codes(client, gate)
            (line,) = gate.logged("scope_missing")
            assert f"lacks the scope {NEEDED}." in line["message"]
            await control(client, sim, "config", {"missing_scopes": {}})
            # Another operation tells nothing.
            assert (await get(client, f"{gate.url}/v2/users/me"))[0] == 200
            assert "scope_missing" in await codes(client, gate)
            assert (await get(client, users))[0] == 200
            assert "scope_missing" not in await codes(client, gate)
        assert (await state(client, sim))["mints"]["total"] == 1


async def test_where_zoom_names_no_scope_its_reference_does() -> None:
    body = {"code": 4711, "message": "Invalid access token, scopes are missing."}
    async with simulator() as sim, session() as client:
        fault = {"status": 400, "status_body": body, "fault_paths": ["GET /v2/users"]}
        await control(client, sim, "faults", fault, "PUT")
        async with gateway(sim) as gate:
            status, _ = await get(client, f"{gate.url}/v2/users")
            assert status == 400
            await eventually(lambda: bool(gate.logged("scope_missing")), "the line")
            assert gate.logged("scope_missing")[0]["scopes"] == [NEEDED]
