"""Uploads and recordings at Zoom's other hosts, as the simulator plays them."""

import hashlib
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.sim import SimClient, Simulator
from gateway.sim.client import Reply
from gateway.sim.recordings import LIFE, SIZE, content

BIG = "/rec/download/_sim-500000"
WHOLE = content(0, 500_000)
FILES = "/v2/chat/users/me/files"


async def ask(
    zoom: SimClient,
    host: str,
    target: str,
    token: str | None = None,
    method: str = "GET",
    data: Any = None,
    **fields: str,
) -> Reply:
    headers = {"Host": host, **fields}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return await zoom.request(method, target, headers=headers, data=data)


async def led(zoom: SimClient, reply: Reply, **fields: str) -> Reply:
    """Follow a redirect without a token."""
    assert reply.status == 302
    parts = urlsplit(reply.headers["Location"])
    assert parts.scheme == "https"
    return await ask(zoom, parts.netloc, f"{parts.path}?{parts.query}", **fields)


async def test_a_recording_is_kept_at_a_signed_address(zoom: SimClient, sim: Simulator) -> None:
    token = await zoom.mint()
    (file,) = (
        await zoom.call(token, "/v2/meetings/plain%40uuid%2BCCCCCCCCCC%3D%3D/recordings")
    ).json()["recording_files"]
    parts = urlsplit(file["download_url"])
    moved = await ask(zoom, parts.netloc, parts.path, token)
    assert moved.headers["Location"].startswith("https://ssrweb.zoom.us/replay/")
    assert "Set-Cookie" in moved.headers
    kept = await led(zoom, moved)
    assert (kept.status, kept.headers["Content-Type"]) == (200, "video/mp4")
    assert len(kept.body) == file["file_size"] == SIZE
    assert sim.control.state()["violations"] == []


@pytest.mark.parametrize(
    "host", ["us02web.zoom.us", "zoom.us", "acme.zoom.us", "us02web.zoomgov.com"]
)
async def test_a_recording_asks_for_the_token(zoom: SimClient, host: str) -> None:
    token = await zoom.mint()
    assert (await ask(zoom, host, BIG, token)).status == 302
    for wrong in (None, "bogus"):
        refused = await ask(zoom, host, BIG, wrong)
        assert (refused.status, refused.json()["code"]) == (401, 124)


async def test_a_signed_address_takes_no_token_and_ends(zoom: SimClient, sim: Simulator) -> None:
    token = await zoom.mint()
    moved = await ask(zoom, "us02web.zoom.us", BIG, token)
    shown = await led(zoom, moved, Authorization=f"Bearer {token}")
    assert (shown.status, b"InvalidArgument" in shown.body) == (400, True)
    assert sim.control.state()["tokens_to_storage"] == 1
    assert (await led(zoom, moved)).body == WHOLE
    parts = urlsplit(moved.headers["Location"])
    assert (await ask(zoom, parts.netloc, parts.path)).status == 403
    other = parts.path.replace("500000", "500001")
    assert (await ask(zoom, parts.netloc, f"{other}?{parts.query}")).status == 403
    sim.control.advance(LIFE + 1)
    assert (await led(zoom, moved)).status == 403


async def test_a_signed_address_that_asks_for_the_token(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.faults(hosts={"storage_asks": True})
    moved = await ask(zoom, "us02web.zoom.us", BIG, token)
    assert (await led(zoom, moved)).status == 403
    assert (await led(zoom, moved, Authorization="Bearer bogus")).status == 401
    assert (await led(zoom, moved, Authorization=f"Bearer {token}")).body == WHOLE


async def test_a_strangers_storage(zoom: SimClient, sim: Simulator) -> None:
    token = await zoom.mint()
    await zoom.faults(hosts={"storage": "elsewhere"})
    moved = await ask(zoom, "us02web.zoom.us", BIG, token)
    assert "//recordings.storage.example/" in moved.headers["Location"]
    assert (await led(zoom, moved)).body == WHOLE
    assert (await ask(zoom, "recordings.storage.example", "/replay/_sim-1.mp4")).status == 403
    assert sim.control.state()["violations"] == []
    assert (await led(zoom, moved, Authorization=f"Bearer {token}")).status == 400
    (broken,) = sim.control.state()["violations"]
    assert broken["reason"] == "a stranger's host was shown a token"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=70000-", 70_000, 500_000),
        ("bytes=65530-65540", 65_530, 65_541),
        ("bytes=-10", 499_990, 500_000),
        ("bytes=499999-600000", 499_999, 500_000),
        ("bytes=-600000", 0, 500_000),
        ("bytes=0-", 0, 500_000),
    ],
)
async def test_parts(zoom: SimClient, asked: str, start: int, end: int) -> None:
    token = await zoom.mint()
    await zoom.faults(hosts={"storage": "here"})
    part = await ask(zoom, "us02web.zoom.us", BIG, token, Range=asked)
    assert part.status == 206
    assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/500000"
    assert part.body == WHOLE[start:end]
    tag = part.headers["ETag"]
    same = await ask(zoom, "us02web.zoom.us", BIG, token, Range=asked, **{"If-Range": tag})
    assert same.body == part.body
    changed = await ask(zoom, "us02web.zoom.us", BIG, token, Range=asked, **{"If-Range": '"x"'})
    assert (changed.status, changed.body) == (200, WHOLE)


async def test_parts_that_there_are_none_of(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.faults(hosts={"storage": "here"})
    for asked in ("bytes=500000-", "bytes=5-4", "bytes=-0"):
        part = await ask(zoom, "us02web.zoom.us", BIG, token, Range=asked)
        assert (part.status, part.headers["Content-Range"]) == (416, "bytes */500000")
    for odd in ("bytes=-", "bytes=0-1,3-4", "items=1-2"):
        assert (await ask(zoom, "us02web.zoom.us", BIG, token, Range=odd)).status == 200


async def test_a_head_has_the_length(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.faults(hosts={"storage": "here"})
    head = await ask(zoom, "us02web.zoom.us", BIG, token, "HEAD")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "500000", b"")
    assert (await ask(zoom, "us02web.zoom.us", "/rec/download/none", token)).status == 404


async def test_pages(zoom: SimClient) -> None:
    token = await zoom.mint()
    page = await ask(zoom, "zoom.us", "/signin")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    await zoom.faults(hosts={"page": True})
    assert b"passcode" in (await ask(zoom, "us02web.zoom.us", BIG, token)).body


async def test_recordings_can_lead_anywhere(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.faults(hosts={"location": "http://127.0.0.1/"})
    moved = await ask(zoom, "us02web.zoom.us", BIG, token)
    assert moved.headers["Location"] == "http://127.0.0.1/"


@pytest.mark.parametrize("status", [302, 307, 308])
@pytest.mark.parametrize("domain", ["zoom.us", "zoomgov.com"])
async def test_uploads_move_on(zoom: SimClient, status: int, domain: str) -> None:
    token = await zoom.mint()
    await zoom.faults(hosts={"upload_status": status})
    data = b"file" * 1000
    assert (await ask(zoom, f"fileapi.{domain}", FILES, None, "POST", data)).status == 401
    moved = await ask(zoom, f"fileapi.{domain}", FILES, token, "POST", data)
    assert (moved.status, moved.headers["Location"]) == (status, f"https://file.{domain}{FILES}")
    assert (await ask(zoom, f"file.{domain}", FILES, None, "POST", data)).status == 401
    done = await ask(zoom, f"file.{domain}", FILES, token, "POST", data)
    assert done.json() == {"size": 4000, "sha256": hashlib.sha256(data).hexdigest()}


async def test_uploads_may_stay(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.faults(hosts={"uploads_move": False})
    assert (await ask(zoom, "fileapi.zoom.us", FILES, token, "POST", b"x")).status == 200


async def test_the_apis_hosts_are_the_api(zoom: SimClient) -> None:
    token = await zoom.mint()
    for host in ("api.zoom.us", "api-eu.zoom.us", "api.zoomgov.com", "127.0.0.1", "gateway.test"):
        assert (await ask(zoom, host, "/v2/users/me", token)).status == 200


async def test_bad_faults_change_nothing(zoom: SimClient) -> None:
    with pytest.raises(ValueError, match="hosts: storage: must be one of"):
        await zoom.faults(hosts={"storage": "nowhere"}, delay=1)
    assert (await zoom.control("faults", method="GET"))["delay"] == 0
