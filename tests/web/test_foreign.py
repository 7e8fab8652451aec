"""Pages of other sites, in the browser of somebody who reaches the admin port."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from gateway.web import sockets
from gateway.web.admin_server import AdminServer
from gateway.web.live import MOST
from tests.observe.charts import healthy
from tests.web.test_admin import sources

PATHS = ("/", "/events", "/status.json", "/metrics", "/readyz", "/livez", "/static/status.css")
STRANGER = "https://evil.example"

SCRIPTS = {
    "EventSource": {"Origin": STRANGER, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    "in clear, to another machine": {"Origin": STRANGER},
    "a page without an origin": {"Origin": "null"},
    "no-cors": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "another port": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    "bytes of no encoding": {"Origin": "https://\udcff.example"},
    "a frame": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "iframe",
    },
}
LINK = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


@pytest.fixture
async def url() -> AsyncIterator[str]:
    listening = sockets.listen("127.0.0.1", 0)
    server = AdminServer(sources({"default": healthy()}))
    await server.serve(listening)
    yield f"http://{sockets.written(sockets.bound(listening))}"
    await server.close()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


async def test_they_hold_no_place_of_the_status_page(
    url: str, client: aiohttp.ClientSession
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(MOST):
            asked = client.get(f"{url}/events", headers=SCRIPTS["EventSource"])
            answer = await stack.enter_async_context(asked)
            assert answer.status == 403
        own = await stack.enter_async_context(
            client.get(f"{url}/events", headers={"Sec-Fetch-Site": "same-origin"})
        )
        assert own.status == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", SCRIPTS.values(), ids=SCRIPTS)
async def test_nothing_is_answered_to_them(
    url: str, client: aiohttp.ClientSession, path: str, headers: dict[str, str]
) -> None:
    async with client.get(f"{url}{path}", headers=headers) as answer:
        assert answer.status == 403
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "another site's page" in (await answer.json())["message"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_link_leads_to_all_but_the_stream(
    url: str, client: aiohttp.ClientSession, path: str
) -> None:
    async with client.get(f"{url}{path}", headers=LINK) as answer:
        assert answer.status == (403 if path == "/events" else 200)
    async with client.post(f"{url}{path}", headers={**LINK, "Origin": STRANGER}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("said", ["", "same-origin", "none"])
async def test_the_page_itself_and_programs_are_answered(
    url: str, client: aiohttp.ClientSession, path: str, said: str
) -> None:
    headers = {"Sec-Fetch-Site": said, "Origin": url} if said else {}
    async with client.get(f"{url}{path}", headers=headers) as answer:
        assert answer.status == 200
