"""Recordings and uploads, through a gateway, as an app fetches and sends them."""

import asyncio
import hashlib
import io
from pathlib import Path

import aiohttp
import pytest

from gateway.sim.recordings import content
from tests.e2e.test_uploads import peak_memory
from tests.e2e.test_zoom_names import gateway as named_gateway
from tests.e2e.test_zoom_names import pinned, ready, world
from tests.support.load import control, metric, session, state
from tests.support.processes import gateway, simulator
from tests.zoom.name_server import name_server

MIB = 1 << 20
BIG = 160 * MIB
GATEWAY = "/_hosts/us02web.zoom.us"
RECORDINGS = "/v2/meetings/plain%40uuid%2BCCCCCCCCCC%3D%3D/recordings"
FILES = "/v2/chat/users/me/files"


def through(gateway_url: str, download_url: str) -> str:
    """What an app does with an address of Zoom's."""
    return download_url.replace("https://", f"{gateway_url}/_hosts/")


async def fetched(answer: aiohttp.ClientResponse) -> tuple[int, str]:
    """Size and digest, piece by piece."""
    digest, size = hashlib.sha256(), 0
    async for piece in answer.content.iter_any():
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


@pytest.mark.parametrize("storage", ["zoom", "elsewhere", "here"])
async def test_an_app_downloads_a_recording(storage: str) -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        await control(client, sim, "faults", {"hosts": {"storage": storage}}, "PUT")
        async with client.get(f"{gate.url}{RECORDINGS}") as answer:
            (file,) = (await answer.json())["recording_files"]
        url = through(gate.url, file["download_url"])
        whole = content(0, file["file_size"])
        async with client.get(url, allow_redirects=False) as answer:
            assert answer.status == 200
            assert await answer.read() == whole
            assert "Set-Cookie" not in answer.headers
            tag = answer.headers["ETag"]
        # A download that broke off goes on where it was.
        half = {"Range": "bytes=500000-", "If-Range": tag}
        async with client.get(url, headers=half) as answer:
            assert (answer.status, await answer.read()) == (206, whole[500_000:])
        async with client.head(url) as answer:
            assert answer.headers["Content-Length"] == str(file["file_size"])
        # The token dies: nobody sees it.
        await control(client, sim, "kill")
        async with client.get(url) as answer:
            assert await answer.read() == whole
        seen = await state(client, sim)
        assert (seen["violations"], seen["tokens_to_storage"]) == ([], 0)
        text = await metric(client, gate.admin, "zoom_gateway_requests_total")
        assert not any("/rec/" in labels or "_hosts" in labels for labels in text)
        assert text['{account="default",method="GET",route="other",status="200"}'] == 2


async def test_what_the_caller_is_told_when_there_is_none() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        url = f"{gate.url}{GATEWAY}/rec/download/84000000001"
        for faults, slug in (
            ({"page": True}, "not_a_recording"),
            ({"location": "http://zoom.us/rec/x"}, "redirect_refused"),
            ({"location": "https://10.0.0.1/rec/x"}, "redirect_refused"),
            ({"location": "https://us02web.zoom.us/rec/download/x"}, "too_many_redirects"),
        ):
            await control(client, sim, "faults", {"hosts": faults}, "PUT")
            async with client.get(url) as answer:
                assert (answer.status, answer.headers["X-Zoom-Gateway-Error"]) == (502, slug)
        await control(client, sim, "faults", {"hosts": {"storage_asks": True}}, "PUT")
        async with client.get(url) as answer:
            assert answer.status == 200


async def test_large_recordings_in_constant_memory() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        async with client.get(f"{gate.url}{GATEWAY}/rec/download/_sim-{4 * MIB}") as answer:
            await fetched(answer)
        memory = peak_memory(gate)
        expected = hashlib.sha256()
        for start in range(0, BIG, MIB):
            expected.update(content(start, MIB))
        async with client.get(f"{gate.url}{GATEWAY}/rec/download/_sim-{BIG}") as answer:
            assert answer.headers["Content-Length"] == str(BIG)
            await asyncio.sleep(0.2)  # its caller is slow to begin: what came meanwhile must wait
            assert await fetched(answer) == (BIG, expected.hexdigest())
        assert peak_memory(gate) - memory < 6 * MIB


@pytest.mark.parametrize("status", [307, 308])
async def test_an_app_uploads_a_file(status: int) -> None:
    data = content(1, 3 * MIB)
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        await control(client, sim, "faults", {"hosts": {"upload_status": status}}, "PUT")
        for kill in (False, True):
            if kill:
                await control(client, sim, "kill")
            form = aiohttp.FormData()
            form.add_field("files", io.BytesIO(data), filename="a.mp4", content_type="video/mp4")
            async with client.post(
                through(gate.url, f"https://fileapi.zoom.us{FILES}"), data=form, expect100=True
            ) as answer:
                assert answer.status == 200, await answer.text()
                assert (await answer.json())["size"] > len(data)
        seen = await state(client, sim)
        assert (seen["violations"], seen["acted_twice"]) == ([], [])
        assert seen["endpoints"]["POST /v2/chat/users/{userId}/files"] == 2
        counted = await metric(client, gate.admin, "zoom_gateway_requests_total")
        labels = 'account="default",method="POST",route="/v2/chat/users/{userId}/files"'
        assert counted[f'{{{labels},status="200"}}'] == 2


async def test_zooms_hosts_by_tls_and_under_their_names(tmp_path: Path) -> None:
    async with world(tmp_path) as at, session() as client:
        hosts = ("us02web.zoom.us", "ssrweb.zoom.us", "fileapi.zoom.us", "file.zoom.us")
        addresses = pinned(at) | dict.fromkeys(hosts, at.region.place)
        async with named_gateway(at, tmp_path, addresses=addresses) as made:
            await ready(made, client)
            async with client.get(f"{made.gate.url}{GATEWAY}/rec/download/84000000001") as answer:
                assert await answer.read() == content(0, MIB)
            upload = f"{made.gate.url}/_hosts/fileapi.zoom.us{FILES}"
            async with client.post(upload, data=b"file") as answer:
                assert (await answer.json())["size"] == 4
            seen = [
                head.partition(b"\r\nHost: ")[2].partition(b"\r\n")[0].decode()
                for head in at.region.heads
            ]
            assert seen == list(hosts)
            assert [b"\r\nAuthorization: " in head for head in at.region.heads] == [
                True,
                False,
                True,
                True,
            ]


async def test_a_name_that_leads_into_the_house_is_not_followed(tmp_path: Path) -> None:
    async with world(tmp_path) as at, session() as client:
        records = {("us02web.zoom.us", "A"): ["127.0.0.1"], ("zoom.us", "A"): ["10.0.0.1"]}
        async with (
            name_server(records) as server,
            named_gateway(at, tmp_path, addresses=pinned(at), nameservers=[server.place]) as made,
        ):
            await ready(made, client)
            async with client.get(f"{made.gate.url}{GATEWAY}/rec/download/1") as answer:
                assert answer.headers["X-Zoom-Gateway-Error"] == "upstream_connect"
                assert "no public address" in await answer.text()
