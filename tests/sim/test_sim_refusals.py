import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.sim import SimClient, SimConfig, Simulator
from gateway.sim.faults import VARIANTS

INVALID = {"code": 124, "message": "Invalid access token."}
EXPIRED = {"code": 124, "message": "Access token is expired."}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer bogus"}, {"Authorization": "Basic eDp5"}],
)
async def test_a_bad_credential_is_refused(zoom: SimClient, headers: dict[str, str]) -> None:
    reply = await zoom.request("GET", "/v2/users/me", headers=headers)
    assert (reply.status, reply.json()) == (401, INVALID)
    assert reply.headers["Set-Cookie"].startswith("zm_aid=")
    assert reply.headers["x-zm-trackingid"]
    assert "WWW-Authenticate" not in reply.headers


async def test_tokens_expire_by_the_injected_clock() -> None:
    now = [100.0]
    config = SimConfig(token_life=10)
    async with Simulator(config, clock=lambda: now[0]) as sim, SimClient(sim.url) as zoom:
        token = await zoom.mint()
        now[0] += 9.9
        assert (await zoom.call(token)).status == 200
        now[0] += 0.2
        reply = await zoom.call(token)
        assert (reply.status, reply.json()) == (401, EXPIRED)


async def test_a_killed_token_cannot_be_told_from_garbage(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.control("kill", {})
    killed, garbage = await zoom.call(token), await zoom.call("garbage")
    assert killed.json() == garbage.json() == INVALID
    state = await zoom.state()
    assert (state["refusals"], state["unknown_tokens"], state["acted"]) == (2, 1, 0)


async def test_chosen_operations_refuse_with_400(zoom: SimClient) -> None:
    await zoom.control("config", {"refuse_with_400": ["GET /v2/users"], "token_life": 5})
    token = await zoom.mint()
    await zoom.control("advance", {"seconds": 6})
    listed, other = await zoom.call(token, "/v2/users"), await zoom.call(token)
    assert (listed.status, listed.json()) == (400, EXPIRED)
    assert other.status == 401


async def test_a_token_in_the_query_is_not_supported(zoom: SimClient) -> None:
    token = await zoom.mint()
    reply = await zoom.call(token, f"/v2/users/me?access_token={token}")
    assert reply.status == 401
    assert "query parameter" in reply.json()["message"]
    log = await zoom.control("requests", method="GET")
    assert token not in json.dumps(log)


@pytest.mark.parametrize("variant", sorted(VARIANTS))
async def test_product_variants(zoom: SimClient, variant: str) -> None:
    token = await zoom.mint()
    await zoom.faults(refuse_all=True, refusal={"variant": variant})
    reply = await zoom.call(token)
    code, message = VARIANTS[variant]
    assert (reply.status, reply.json()) == (401, {"code": code, "message": message})


@pytest.mark.parametrize(
    ("form", "content_type"), [("empty", None), ("html", "text/html; charset=UTF-8")]
)
async def test_refusals_without_json(zoom: SimClient, form: str, content_type: str | None) -> None:
    await zoom.faults(refusal={"form": form, "status": 401})
    reply = await zoom.call("garbage")
    assert reply.status == 401
    assert (reply.headers.get("Content-Type") if reply.body else None) == content_type


@pytest.mark.parametrize(
    ("refusal", "status", "body"),
    [
        ({"status": 400}, 400, INVALID),
        ({"status": 401, "code": 7, "message": "no"}, 401, {"code": 7, "message": "no"}),
    ],
)
async def test_the_refusal_can_be_shaped(
    zoom: SimClient, refusal: dict[str, Any], status: int, body: dict[str, Any]
) -> None:
    await zoom.faults(refusal=refusal)
    reply = await zoom.call("garbage")
    assert (reply.status, reply.json()) == (status, body)


@pytest.mark.parametrize(
    "path", ["/v2/meetings/85000000001", "/v2/meetings/{meetingId}", "/v2/meetings/*"]
)
async def test_one_endpoint_refuses_for_ever(zoom: SimClient, path: str) -> None:
    await zoom.faults(refuse_paths=[{"method": "GET", "path": path}])
    for _ in range(2):
        token = await zoom.mint()
        assert (await zoom.call(token, "/v2/meetings/85000000001?x=1")).status == 401
        assert (await zoom.call(token)).status == 200


async def test_the_next_calls_alone_can_be_refused(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.faults(refuse_next=2)
    assert [(await zoom.call(token)).status for _ in range(3)] == [401, 401, 200]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("status", [401, 400])
async def test_refusals_can_be_compressed(zoom: SimClient, coding: str, status: int) -> None:
    await zoom.faults(compress=coding, refusal={"status": status})
    reply = await zoom.call("garbage", headers={"Accept-Encoding": "gzip, deflate"})
    unpack = gzip.decompress if coding == "gzip" else zlib.decompress
    assert (reply.status, reply.headers["Content-Encoding"]) == (status, coding)
    assert json.loads(unpack(reply.body)) == INVALID
    plain = await zoom.call("garbage", headers={"Accept-Encoding": "identity"})
    assert plain.json() == INVALID


async def test_head_is_refused_without_a_body(zoom: SimClient) -> None:
    reply = await zoom.call("garbage", method="HEAD")
    assert (reply.status, reply.body) == (401, b"")


def upload(sent: bytes, announced: int, *headers: str) -> bytes:
    lines = [
        "POST /v2/_sim/upload HTTP/1.1",
        "Host: sim",
        "Authorization: Bearer garbage",
        f"Content-Length: {announced}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + sent


async def test_an_early_refusal_comes_before_the_body(sim: Simulator, zoom: SimClient) -> None:
    await zoom.faults(refuse_early=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(upload(b"", 10))
    assert b" 401 " in await asyncio.wait_for(reader.readline(), 5)
    answer = await asyncio.wait_for(reader.readuntil(b'token."}'), 5)
    # The rest of the body is drained: the connection goes on.
    writer.write(b"0123456789" + upload(b"x", 1, "Connection: close"))
    assert b" 401 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await writer.wait_closed()
    assert b"code" in answer
    assert (await zoom.control("requests", method="GET"))[0]["body_sha256"] is None


async def test_an_early_refusal_may_leave_the_body_unread(zoom: SimClient) -> None:
    await zoom.faults(refuse_early=True, drain=False)
    answer = await asyncio.wait_for(zoom.raw(upload(b"", 10_000_000)), 5)
    assert b" 401 " in answer
    assert b"Connection: close" in answer


async def test_the_body_is_asked_for(zoom: SimClient) -> None:
    head = upload(b"", 3, "Expect: 100-continue", "Connection: close")
    answer = await asyncio.wait_for(zoom.raw(head + b"abc"), 5)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 ")


async def test_an_early_refusal_asks_for_no_body(zoom: SimClient) -> None:
    await zoom.faults(refuse_early=True)
    answer = await asyncio.wait_for(zoom.raw(upload(b"", 3, "Expect: 100-continue")), 5)
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_missing_scopes_are_no_refusal(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.control("config", {"missing_scopes": {"GET /v2/users": ["user:read", "x:y"]}})
    reply = await zoom.call(token, "/v2/users")
    message = "Invalid access token, does not contain scopes:[user:read, x:y]."
    assert (reply.status, reply.json()) == (400, {"code": 4711, "message": message})
    await zoom.faults(scope_error={"status": 401, "code": 201})
    reply = await zoom.call(token, "/v2/users")
    assert (reply.status, reply.json()["code"]) == (401, 201)
    assert (await zoom.state())["refusals"] == 0


async def test_refuse_all_holds_for_fresh_tokens(zoom: SimClient) -> None:
    await zoom.faults(refuse_all=True)
    for _ in range(3):
        assert (await zoom.call(await zoom.mint())).json() == INVALID
    await zoom.control("faults", method="DELETE")
    assert (await zoom.call(await zoom.mint())).status == 200


async def test_an_upload_that_stops_is_counted(
    sim: Simulator, eventually: Callable[[str], Awaitable[None]]
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(upload(b"abc", 10))
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await eventually("aborted_bodies")
    assert sim.control.state()["acted"] == 0
    assert sim.control.requests()[-1]["status"] is None
