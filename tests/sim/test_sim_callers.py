import asyncio
import json

import pytest

from gateway.sim import SimClient, SimConfig, Simulator


def request(*headers: str, target: str = "/v2/users/me") -> bytes:
    lines = [f"GET {target} HTTP/1.1", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def reasons(zoom: SimClient) -> list[str]:
    return [violation["reason"] for violation in (await zoom.state())["violations"]]


@pytest.mark.parametrize(
    "header",
    [
        "Cookie: a=b",
        "Forwarded: for=x",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Proto: https",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic c2VjcmV0",
        "TE: trailers",
        "Trailer: x",
        "Keep-Alive: timeout=5",
    ],
)
async def test_headers_that_a_proxy_must_not_send(zoom: SimClient, header: str) -> None:
    token = await zoom.mint()
    raw = request("Host: sim", f"Authorization: Bearer {token}", header)
    answer = await zoom.raw(raw)
    name = header.partition(":")[0].lower()
    assert b" 400 " in answer
    assert f'{{"code":300,"message":"header {name} must not be sent"}}'.encode() in answer
    assert await reasons(zoom) == [f"header {name} must not be sent"]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (("Authorization: Bearer a", "Authorization: Bearer b"), "more than one Authorization"),
        (("Authorization: Bearer a", "Connection: x-thing"), "Connection header names x-thing"),
        (("Host: twice", "Authorization: Bearer a"), "Duplicate 'Host'"),
        (
            ("Content-Length: 1", "Transfer-Encoding: chunked", "Authorization: Bearer a"),
            "malformed request",
        ),
        (("Bad Header: x",), "malformed request"),
    ],
)
async def test_broken_rules(zoom: SimClient, headers: tuple[str, ...], reason: str) -> None:
    answer = await zoom.raw(request("Host: sim", *headers))
    assert b" 400 " in answer
    assert b'"code":300' in answer
    assert reason in (await reasons(zoom))[0]


async def test_a_host_must_be_there(zoom: SimClient) -> None:
    token = await zoom.mint()
    assert b" 400 " in await zoom.raw(request(f"Authorization: Bearer {token}"))
    raw = request(f"Authorization: Bearer {token}").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert b"Host header must be present" in await zoom.raw(raw)
    assert len(await reasons(zoom)) == 2


async def test_the_target_must_be_in_origin_form(zoom: SimClient) -> None:
    raw = request("Host: sim", "Authorization: Bearer a", target="http://sim/v2/users")
    assert b"origin form" in await zoom.raw(raw)


async def test_a_missing_bearer_gets_the_ordinary_refusal(zoom: SimClient) -> None:
    for headers in (("Host: sim",), ("Host: sim", "Authorization: Basic eDp5")):
        assert b'"code":124' in await zoom.raw(request(*headers))
    assert len(await reasons(zoom)) == 2


async def test_the_token_endpoint_checks_too(zoom: SimClient) -> None:
    form = {"grant_type": "account_credentials"}
    reply = await zoom.request("POST", "/oauth/token", headers={"Cookie": "a=b"}, data=form)
    assert (reply.status, reply.json()["code"]) == (400, 300)
    assert (await zoom.state())["mint_attempts"] == 0


async def test_a_lenient_simulator_only_notes() -> None:
    async with Simulator(SimConfig(strict=False)) as sim, SimClient(sim.url) as zoom:
        reply = await zoom.call(await zoom.mint(), headers={"Cookie": "a=b"})
        assert reply.status == 200
        assert await reasons(zoom) == ["header cookie must not be sent"]


@pytest.mark.parametrize(
    "target",
    [
        "/v2/meetings/%252Fabc%252F%252Fdef%253D%253D/recordings?",
        "/v2/users?next_page_token=&page_size=1&",
        "/v2//a/./b/../c;d=1/%7Euser/+%2b?q=a+b%20c&&x=%zz",
        "/v2/?",
    ],
)
async def test_the_log_shows_targets_byte_for_byte(zoom: SimClient, target: str) -> None:
    token = await zoom.mint()
    await zoom.raw(request("hOsT: sim", f"Authorization: Bearer {token}", target=target))
    seen = (await zoom.control("requests", method="GET"))[-1]
    assert seen["target"] == target
    assert seen["headers"][0] == ["hOsT", "sim"]
    assert seen["headers"][1] == ["Authorization", f"Bearer {seen['token']}"]


async def test_no_secret_is_ever_shown(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.call(token)
    await zoom.raw(request("Host: sim", f"Authorization: {token}"))
    await zoom.request("POST", f"/oauth/revoke?token={token}")
    shown = json.dumps([await zoom.state(), await zoom.control("requests", method="GET")])
    assert token not in shown
    assert "ZGVtby1jbGllbnQ6ZGVtby1zZWNyZXQ" not in shown


async def test_pipelined_calls_are_answered_in_order(sim: Simulator, zoom: SimClient) -> None:
    token = await zoom.mint()
    one = f"GET /v2/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(one.encode() + request("Host: x", f"Authorization: Bearer {token}"))
    assert (await reader.read()).count(b"HTTP/1.1 200 OK") == 2
    writer.close()
    await writer.wait_closed()
