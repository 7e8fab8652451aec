import hashlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from gateway.sim import SimClient, SimConfig, Simulator
from gateway.sim.world import PAST_UUIDS, needs_double_encoding


@pytest.fixture
async def token(zoom: SimClient) -> str:
    return await zoom.mint()


async def test_users_by_token_paging(zoom: SimClient, token: str) -> None:
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        target = f"/v2/users?page_size=10&next_page_token={cursor}"
        page = (await zoom.call(token, target)).json()
        assert "page_number" not in page
        seen += [user["id"] for user in page["users"]]
        cursor = page["next_page_token"]
    assert cursor == ""
    assert len(set(seen)) == len(seen) == 35


async def test_without_a_page_token_the_pages_are_numbered(zoom: SimClient, token: str) -> None:
    page = (await zoom.call(token, "/v2/users?page_number=2")).json()
    assert (page["page_number"], page["page_count"], len(page["users"])) == (2, 2, 5)


@pytest.mark.parametrize(
    "query",
    ["page_size=0", "page_size=301", "page_size=x", "page_number=0", "next_page_token=nonsense"],
)
async def test_bad_paging_is_a_validation_error(zoom: SimClient, token: str, query: str) -> None:
    reply = await zoom.call(token, f"/v2/users?{query}")
    assert (reply.status, reply.json()["code"]) == (400, 300)
    assert reply.json()["errors"][0]["field"] == query.partition("=")[0]


async def test_page_tokens_live_15_minutes_and_belong_to_their_list(
    zoom: SimClient, token: str
) -> None:
    target = "/v2/users?page_size=10&next_page_token="
    cursor = (await zoom.call(token, target)).json()["next_page_token"]
    foreign = await zoom.call(token, f"/v2/users/me/meetings?next_page_token={cursor}")
    assert foreign.status == 400
    await zoom.control("advance", {"seconds": 901})
    assert (await zoom.call(token, target + cursor)).status == 400


async def test_one_user(zoom: SimClient, token: str) -> None:
    by_id = (await zoom.call(token, "/v2/users/user-0001")).json()
    by_email = (await zoom.call(token, "/v2/users/user1%40demo-account.example")).json()
    me = (await zoom.call(token, "/v2/users/me")).json()
    assert by_id == by_email
    assert me["id"] == "user-0000"
    missing = await zoom.call(token, "/v2/users/nobody")
    assert (missing.status, missing.json()["code"]) == (404, 1001)


async def test_a_meeting_lives(zoom: SimClient, token: str) -> None:
    body = json.dumps({"topic": "Talk", "id": 5})
    made = await zoom.call(token, "/v2/users/me/meetings", "POST", data=body)
    number = made.json()["id"]
    target = f"/v2/meetings/{number}"
    assert (made.status, made.json()["topic"], number != 5) == (201, "Talk", True)
    patched = await zoom.call(token, target, "PATCH", data=b'{"topic": "New"}')
    assert (patched.status, patched.body) == (204, b"")
    assert (await zoom.call(token, target)).json()["topic"] == "New"
    listed = (await zoom.call(token, "/v2/users/me/meetings/?page_size=30&")).json()
    assert number in [meeting["id"] for meeting in listed["meetings"]]
    assert (await zoom.call(token, target, "DELETE")).status == 204
    for method in ("GET", "DELETE", "PATCH"):
        gone = await zoom.call(token, target, method)
        assert (gone.status, gone.json()["code"]) == (404, 3001)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", json.dumps({"topic": "x" * 201}).encode()])
async def test_a_bad_meeting_is_a_validation_error(
    zoom: SimClient, token: str, body: bytes
) -> None:
    reply = await zoom.call(token, "/v2/users/me/meetings", "POST", data=body)
    assert (reply.status, reply.json()["code"]) == (400, 300)
    changed = await zoom.call(token, "/v2/meetings/85000000001", "PATCH", data=body)
    assert changed.status == 400


@pytest.mark.parametrize("target", ["/v2/users/nobody/meetings", "/v2/users/nobody"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nobody_has_nothing(zoom: SimClient, token: str, method: str, target: str) -> None:
    reply = await zoom.call(token, target, method, data=b"{}")
    assert reply.json()["code"] in {1001, 2300}
    assert reply.status in {404, 400}


@pytest.mark.parametrize("uuid", PAST_UUIDS)
@pytest.mark.parametrize("template", ["/v2/past_meetings/{}", "/v2/meetings/{}/recordings"])
async def test_a_uuid_is_found_in_its_own_encoding_alone(
    zoom: SimClient, token: str, uuid: str, template: str
) -> None:
    single = quote(uuid, safe="")
    double = quote(single, safe="")
    good, bad = (double, single) if needs_double_encoding(uuid) else (single, double)
    assert (await zoom.call(token, template.format(good))).json()["uuid"] == uuid
    reply = await zoom.call(token, template.format(bad))
    assert (reply.status, reply.json()["code"]) == (404, 3001)


async def test_a_meeting_without_a_recording(zoom: SimClient, token: str) -> None:
    reply = await zoom.call(token, "/v2/meetings/85000000001/recordings")
    assert (reply.status, reply.json()["code"]) == (404, 3301)


@pytest.mark.parametrize("target", ["/v2/nothing", "//v2/users", "/v2//users", "/v3/users", "/"])
async def test_unknown_endpoints(zoom: SimClient, token: str, target: str) -> None:
    reply = await zoom.call(token, target)
    assert (reply.status, reply.json()["code"]) == (400, 2300)


async def test_scim(zoom: SimClient, token: str) -> None:
    assert (await zoom.call(token, "/scim2/Users")).json()["totalResults"] == 35


async def test_head_answers_as_get_without_a_body(zoom: SimClient, token: str) -> None:
    got = await zoom.call(token)
    head = await zoom.call(token, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.body))


async def test_a_large_upload_is_measured(zoom: SimClient, token: str) -> None:
    body = b"0123456789abcdef" * 200_000

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    expected = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    for data in (io.BytesIO(body), chunks()):
        reply = await zoom.call(token, "/v2/_sim/upload", "POST", data=data)
        assert reply.json() == expected
    seen = (await zoom.control("requests?limit=1", method="GET"))[0]
    assert (seen["body_size"], seen["body_sha256"]) == (expected["size"], expected["sha256"])


async def test_a_download_is_streamed(zoom: SimClient, token: str) -> None:
    target = "/v2/_sim/download?size=100000&chunk=1000&pause=0"
    reply = await zoom.call(token, target)
    assert reply.body == b"z" * 100_000
    assert reply.headers["Transfer-Encoding"] == "chunked"
    assert (await zoom.call(token, target, "HEAD")).body == b""
    paused = await zoom.call(token, "/v2/_sim/download?size=2&chunk=1&pause=0.001")
    assert paused.body == b"zz"
    assert (await zoom.call(token, "/v2/_sim/download?size=x")).status == 400


@pytest.mark.parametrize("compress", ["gzip", "deflate"])
async def test_answers_are_compressed_by_configuration(compress: Any) -> None:
    config = SimConfig(compress=compress)
    async with Simulator(config) as sim, SimClient(sim.url) as zoom:
        accept = {"Accept-Encoding": "gzip, deflate"}
        reply = await zoom.call("x", headers=accept)
        assert reply.headers["Content-Encoding"] == compress


async def test_acted_operations_are_told_apart_by_their_id(zoom: SimClient, token: str) -> None:
    for operation in ("a", "b", "b", "b"):
        headers = {"X-Operation-Id": operation}
        await zoom.call(token, "/v2/_sim/upload", "POST", headers=headers, data=b"x")
    refused = {"X-Operation-Id": "c"}
    await zoom.call("garbage", headers=refused)
    await zoom.call(token, headers=refused)
    await zoom.call(token, "/v2/users/nobody", headers=refused)
    state = await zoom.state()
    assert (state["acted"], state["acted_twice"], state["calls"]) == (5, ["b"], 7)
    assert state["endpoints"]["POST /v2/_sim/upload"] == 4
