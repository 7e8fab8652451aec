import asyncio
from typing import Any

import aiohttp
import pytest

from gateway.sim import SimClient, SimConfig, Simulator

MEETINGS = "/v2/users/me/meetings"


@pytest.fixture
async def token(zoom: SimClient) -> str:
    return await zoom.mint()


@pytest.mark.parametrize("acts", [True, False])
@pytest.mark.parametrize(
    ("drop", "error"),
    [
        ("before_headers", aiohttp.ServerDisconnectedError),
        ("mid_body", aiohttp.ClientPayloadError),
    ],
)
async def test_drops(
    zoom: SimClient, token: str, drop: str, error: type[Exception], *, acts: bool
) -> None:
    await zoom.faults(drop=drop, drop_next=1, drop_acts=acts)
    with pytest.raises(error):
        await zoom.call(token, MEETINGS, "POST", data=b"{}")
    assert (await zoom.state())["acted"] == int(acts)
    assert (await zoom.call(token)).status == 200


async def test_a_share_of_the_calls_can_be_dropped(zoom: SimClient, token: str) -> None:
    await zoom.faults(drop="before_headers", drop_share=0.5)
    outcomes = []
    for _ in range(40):
        try:
            outcomes.append((await zoom.call(token)).status)
        except aiohttp.ServerDisconnectedError:
            outcomes.append(0)
    assert set(outcomes) == {0, 200}
    await zoom.faults(drop="before_headers", drop_share=0)
    assert (await zoom.call(token)).status == 200
    await zoom.faults(drop="before_headers")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await zoom.call(token)


@pytest.mark.parametrize("cut", [True, "length", "chunked"])
async def test_cut_bodies(zoom: SimClient, token: str, cut: Any) -> None:
    await zoom.faults(cut_body=cut)
    with pytest.raises(aiohttp.ClientPayloadError):
        await zoom.call(token)
    with pytest.raises(aiohttp.ClientPayloadError):
        await zoom.call(token, "/v2/_sim/download?size=200000")
    await zoom.faults(cut_body=False)
    assert (await zoom.call(token)).status == 200


@pytest.mark.parametrize(
    ("faults", "status", "content_type", "part"),
    [
        ({"status": 500}, 500, "application/json", b'"code":500'),
        ({"status": 502, "html": True}, 502, "text/html", b"cloudflare"),
        ({"status": 429, "status_body": {"code": 429}}, 429, "application/json", b'{"code":429}'),
        ({"fail_next": 1}, 503, "application/json", b"503"),
    ],
)
async def test_failing_calls_act_on_nothing(
    zoom: SimClient, token: str, faults: dict[str, Any], status: int, content_type: str, part: bytes
) -> None:
    await zoom.faults(**{"fail_next": 1, "status_headers": {"Retry-After": "7"}} | faults)
    reply = await zoom.call(token)
    assert (reply.status, reply.headers["Retry-After"]) == (status, "7")
    assert reply.headers["Content-Type"].startswith(content_type)
    assert part in reply.body
    assert (await zoom.state())["acted"] == 0
    assert (await zoom.call(token)).status == 200


async def test_faults_can_be_limited_to_paths(zoom: SimClient, token: str) -> None:
    await zoom.faults(status=503, fault_paths=["POST /v2/users/*"])
    assert (await zoom.call(token)).status == 200
    assert (await zoom.call(token, MEETINGS, "POST", data=b"{}")).status == 503


async def test_a_redirect_and_a_cookie(zoom: SimClient, token: str) -> None:
    redirect = {"path": "/v2/users/me", "location": "https://other.zoom.us/x"}
    await zoom.faults(redirect=redirect, set_cookie=True)
    reply = await zoom.call(token)
    assert (reply.status, reply.headers["Location"]) == (302, "https://other.zoom.us/x")
    assert reply.headers["Set-Cookie"].startswith("zm_sim=")
    assert (await zoom.call(token, "/v2/users")).status == 200


async def test_delays_by_path(zoom: SimClient, token: str) -> None:
    slow = [{"path": "GET /v2/users", "delay": 60}]
    await zoom.faults(api_delay_paths=slow, set_cookie="a=b")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(zoom.call(token, "/v2/users"), 0.1)
    reply = await zoom.call(token)
    assert reply.headers["Set-Cookie"] == "a=b"
    await zoom.faults(delay=60)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(zoom.call(token), 0.1)


async def test_a_slow_caller_that_goes_away_is_no_error(
    zoom: SimClient, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    target = "/v2/_sim/download?size=100000&chunk=1&pause=0.001"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(zoom.call(token, target), 0.05)
    assert (await zoom.call(token)).status == 200
    assert not caplog.records


async def limited(zoom: SimClient, token: str, calls: int, target: str) -> list[Any]:
    return [await zoom.call(token, target) for _ in range(calls)]


async def test_per_second_limits() -> None:
    now = [1000.0]
    config = SimConfig(rate_plan="free", rate_headers="full")
    async with Simulator(config, clock=lambda: now[0]) as sim, SimClient(sim.url) as zoom:
        token = await zoom.mint()
        replies = await limited(zoom, token, 3, "/v2/users")
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert replies[0].headers["X-RateLimit-Remaining"] == "1999"
        last = replies[2]
        assert last.json()["message"].startswith("You have reached the maximum per-second")
        assert last.headers["X-RateLimit-Category"] == "Medium"
        assert last.headers["X-RateLimit-Type"] == "QPS"
        assert "Retry-After" not in last.headers
        assert (await zoom.call(token)).status == 200
        now[0] += 61
        assert (await zoom.call(token, "/v2/users")).status == 200
        assert sim.control.state()["rate_limited"] == 1


async def test_the_daily_limit_names_the_time_when_it_ends(zoom: SimClient, token: str) -> None:
    change = {"rate_plan": "pro", "rate_scale": 0.0001, "rate_headers": "full"}
    await zoom.control("config", change)
    for _ in range(3):
        assert (await zoom.call(token, "/scim2/Users")).status == 200
        await zoom.control("advance", {"seconds": 61})
    reply = await zoom.call(token, "/v2/_sim/download")
    assert reply.status == 429
    assert "maximum daily rate limit" in reply.json()["message"]
    assert reply.headers["X-RateLimit-Type"] == "Daily-limit"
    assert reply.headers["Retry-After"].endswith("T00:00:00Z")


async def test_one_user_may_create_100_meetings_a_day(zoom: SimClient, token: str) -> None:
    await zoom.control("config", {"rate_plan": "business", "rate_headers": "full"})
    for _ in range(100):
        assert (await zoom.call(token, MEETINGS, "POST", data=b"{}")).status == 201
        await zoom.control("advance", {"seconds": 1})
    reply = await zoom.call(token, MEETINGS, "POST", data=b"{}")
    assert reply.status == 429
    assert "(100) of Meeting Create/Update" in reply.json()["message"]
    assert int(reply.headers["X-RateLimit-Remaining"]) > 0
    other = await zoom.call(token, "/v2/users/user-0001/meetings", "POST", data=b"{}")
    assert other.status == 201


async def test_headers_are_sparse_at_times(zoom: SimClient, token: str) -> None:
    await zoom.control("config", {"rate_plan": "business"})
    replies = await limited(zoom, token, 3, "/v2/users/me")
    assert ["X-RateLimit-Limit" in reply.headers for reply in replies] == [True, True, False]
    await zoom.control("config", {"rate_headers": "category"})
    reply = (await limited(zoom, token, 1, "/v2/users/me"))[0]
    assert reply.headers["X-RateLimit-Category"] == "Light"
    assert "X-RateLimit-Type" not in reply.headers
