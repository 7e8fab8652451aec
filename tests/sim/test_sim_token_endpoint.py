import asyncio
from typing import Any

import aiohttp
import pytest

from gateway.sim import Account, App, SimClient, SimConfig, Simulator
from gateway.sim.client import basic

BAD_CLIENT = {"reason": "Invalid client_id or client_secret", "error": "invalid_client"}
BAD_REQUEST = {"reason": "Bad request", "error": "invalid_request"}
BAD_GRANT = {"reason": "unsupported grant type", "error": "unsupported_grant_type"}
TOO_HIGH = {
    "reason": "Invalid request : Maximum group number limit exceeded",
    "error": "invalid_request",
}
NOT_ALLOWED = {"reason": "Invalid Grant", "error": "invalid_request"}


async def test_a_good_request_gets_a_token(zoom: SimClient) -> None:
    reply = await zoom.token_request()
    answer = reply.json()
    assert reply.status == 200
    assert answer.pop("access_token").count(".") == 2
    assert "user:read:user:admin" in answer.pop("scope").split(" ")
    assert answer == {"token_type": "bearer", "expires_in": 3599, "api_url": zoom.url}
    assert reply.headers["x-zm-trackingid"]


@pytest.mark.parametrize(
    ("credentials", "form", "expected"),
    [
        (("demo-client", "wrong"), {}, BAD_CLIENT),
        (("nobody", "demo-secret"), {}, BAD_CLIENT),
        (("demo-client", "demo-secret"), {"account_id": "other"}, BAD_REQUEST),
        (("demo-client", "demo-secret"), {"grant_type": "password"}, BAD_GRANT),
        (("demo-client", "demo-secret"), {"token_index": "10"}, TOO_HIGH),
        (("demo-client", "demo-secret"), {"token_index": "one"}, BAD_REQUEST),
    ],
)
async def test_errors_of_the_request(
    zoom: SimClient, credentials: tuple[str, str], form: dict[str, str], expected: dict[str, str]
) -> None:
    reply = await zoom.token_request(*credentials, **form)
    assert (reply.status, reply.json()) == (400, expected)
    state = await zoom.state()
    assert (state["mints"]["total"], state["mint_attempts"], state["mint_failures"]) == (0, 1, 1)


async def test_an_index_that_the_plan_does_not_allow(zoom: SimClient) -> None:
    await zoom.control("config", {"index_allowed": False})
    reply = await zoom.token_request(token_index="1")
    assert (reply.status, reply.json()) == (400, NOT_ALLOWED)
    assert (await zoom.token_request(token_index="0")).status == 200


async def test_the_grant_in_the_query_is_refused(zoom: SimClient) -> None:
    target = "/oauth/token?grant_type=account_credentials&account_id=demo-account"
    reply = await zoom.request("POST", target, headers=basic("demo-client", "demo-secret"))
    assert (reply.status, reply.json()) == (400, BAD_GRANT)


async def test_json_is_no_form(zoom: SimClient) -> None:
    headers = basic("demo-client", "demo-secret") | {"Content-Type": "application/json"}
    body = b'{"grant_type": "account_credentials", "account_id": "demo-account"}'
    reply = await zoom.request("POST", "/oauth/token", headers=headers, data=body)
    assert (reply.status, reply.json()) == (400, BAD_GRANT)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic ?"}, {"Authorization": "x"}])
async def test_without_basic_the_client_is_invalid(
    zoom: SimClient, headers: dict[str, str]
) -> None:
    form = {"grant_type": "account_credentials", "account_id": "demo-account"}
    reply = await zoom.request("POST", "/oauth/token", headers=headers, data=form)
    assert (reply.status, reply.json()) == (400, BAD_CLIENT)
    assert "Authorization header" in (await zoom.state())["violations"][0]["reason"]


async def test_only_post_is_an_endpoint(zoom: SimClient) -> None:
    reply = await zoom.request("GET", "/oauth/token", headers=basic("demo-client", "demo-secret"))
    assert reply.status == 404


async def test_revoke_really_revokes(zoom: SimClient) -> None:
    token = await zoom.mint()
    target = f"/oauth/revoke?token={token}"
    wrong = await zoom.request("POST", target, headers=basic("demo-client", "wrong"))
    assert wrong.json() == BAD_CLIENT
    reply = await zoom.request("POST", target, headers=basic("demo-client", "demo-secret"))
    assert reply.json() == {"status": "success"}
    assert (await zoom.call(token)).status == 401
    assert (await zoom.state())["revokes"] == 1


async def test_both_secrets_work_during_the_overlap(zoom: SimClient) -> None:
    await zoom.control("rotate-secret", {"app": "demo-client", "client_secret": "fresh"})
    assert (await zoom.token_request(secret="demo-secret")).status == 200
    assert (await zoom.token_request(secret="fresh")).status == 200
    await zoom.control("config", {"overlap": False})
    assert (await zoom.token_request(secret="demo-secret")).json() == BAD_CLIENT
    assert (await zoom.token_request(secret="fresh")).status == 200


async def test_accounts_have_their_own_apps_and_data() -> None:
    accounts = (
        Account("one", (App("c1", "s1"),)),
        Account("two", (App("c2", "s2", previous_client_secret="s2-old"),)),
    )
    async with Simulator(SimConfig(accounts=accounts)) as sim, SimClient(sim.url) as zoom:
        assert (await zoom.token_request("c1", "s1", account_id="two")).json() == BAD_REQUEST
        reply = await zoom.token_request("c2", "s2-old", account_id="two")
        me = await zoom.call(reply.json()["access_token"])
        assert me.json()["email"] == "user0@two.example"


async def test_the_reported_life_can_differ_from_the_real_one(zoom: SimClient) -> None:
    await zoom.control("config", {"token_life": 5, "expires_in": 3600})
    reply = await zoom.token_request()
    assert reply.json()["expires_in"] == 3600
    await zoom.control("advance", {"seconds": 6})
    assert (await zoom.call(reply.json()["access_token"])).status == 401


@pytest.mark.parametrize(
    ("faults", "status", "headers", "body"),
    [
        ({"mint_fail_next": 1}, 500, {}, b"server_error"),
        ({"mint_status": 429, "mint_headers": {"Retry-After": 2}}, 429, {"Retry-After": "2"}, b""),
        (
            {"mint_body": "<html>", "mint_content_type": "text/html"},
            200,
            {"Content-Type": "text/html"},
            b"<html>",
        ),
        ({"mint_body": {"token_type": "bearer"}}, 200, {}, b'{"token_type":"bearer"}'),
        ({"mint_patch": {"expires_in": -1}}, 200, {}, b'"expires_in":-1'),
    ],
)
async def test_faulty_answers(
    zoom: SimClient, faults: dict[str, Any], status: int, headers: dict[str, str], body: bytes
) -> None:
    await zoom.faults(**faults)
    reply = await zoom.token_request()
    assert reply.status == status
    assert body in reply.body
    assert {name: reply.headers[name] for name in headers} == headers


async def test_a_key_can_be_taken_out_of_a_true_answer(zoom: SimClient) -> None:
    await zoom.faults(mint_patch={"expires_in": None}, mint_fail_next=1)
    answer = (await zoom.token_request()).json()
    assert "expires_in" not in answer
    assert (await zoom.call(answer["access_token"])).status == 200
    assert "expires_in" in (await zoom.token_request()).json()


async def test_a_mint_answered_with_an_error_may_have_taken_effect(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.faults(mint_status=500)
    await zoom.token_request()
    assert (await zoom.call(token)).status == 200
    await zoom.faults(mint_status=500, mint_acts=True)
    assert (await zoom.token_request()).status == 500
    assert (await zoom.call(token)).status == 401


@pytest.mark.parametrize(("moment", "mints"), [("before", 1), ("after", 2)])
async def test_dropped_mints(zoom: SimClient, moment: str, mints: int) -> None:
    await zoom.mint()
    await zoom.faults(mint_drop=moment, mint_fail_next=1)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await zoom.token_request()
    assert (await zoom.state())["mints"]["total"] == mints
    assert (await zoom.token_request()).status == 200


async def test_a_cut_mint_took_effect(zoom: SimClient) -> None:
    await zoom.faults(mint_cut=True)
    with pytest.raises(aiohttp.ClientPayloadError):
        await zoom.token_request()
    assert (await zoom.state())["mints"]["total"] == 1


@pytest.mark.parametrize(("after", "early_mints"), [(False, 0), (True, 1)])
async def test_a_slow_mint_takes_effect_before_or_after_the_delay(
    sim: Simulator, zoom: SimClient, *, after: bool, early_mints: int
) -> None:
    await zoom.faults(mint_delay=60, mint_delay_after=after)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(zoom.token_request(), 0.2)
    assert sim.control.state()["mints"]["total"] == early_mints
