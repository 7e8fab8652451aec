"""What may be changed on the admin port, by whom."""

from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import RawTestServer, TestClient

from gateway.core.course import Asked
from gateway.web.admin import AdminSite
from tests.observe.charts import healthy
from tests.web.test_admin import sources

ROTATE = "/accounts/default/rotate"
JSON = {"Content-Type": "application/json"}

Client = TestClient[Any, Any]


class Operator:
    """Stands in for the gateway; keeps what was asked for."""

    def __init__(self) -> None:
        self.allowed = True
        self.asked: list[tuple[str, str]] = []
        self.answer = Asked(began=True, wait=0.0)

    def rotate(self, account: str, caller: str) -> Asked | None:
        self.asked.append((account, caller))
        return self.answer if account == "default" else None


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
async def admin(aiohttp_client: Any, operator: Operator) -> Client:
    parts = replace(
        sources({"default": healthy()}),
        may_act=lambda: operator.allowed,
        rotate=operator.rotate,
    )
    client: Client = await aiohttp_client(RawTestServer(AdminSite(parts).answer))
    return client


async def post(client: Client, path: str = ROTATE, **headers: str) -> tuple[int, dict[str, Any]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.post(path, data=b"{}", headers={**JSON, **named}) as answer:
        assert answer.headers["Content-Security-Policy"]
        return answer.status, await answer.json()


async def test_a_new_token_is_asked_for(admin: Client, operator: Operator) -> None:
    status, body = await post(admin)
    assert status == 202
    assert body == {
        "account": "default",
        "result": "due",
        "wait": 0.0,
        "message": "A new token is being minted.",
    }
    assert operator.asked == [("default", "127.0.0.1")]


async def test_what_is_under_way_is_told(admin: Client, operator: Operator) -> None:
    operator.answer = Asked(began=False, wait=12.0)
    status, body = await post(admin)
    assert (status, body["result"]) == (202, "under_way")
    assert "on its way already" in body["message"]
    assert "begins in 12 s" in body["message"]


async def test_what_has_to_wait_is_not_said_to_be_done(admin: Client, operator: Operator) -> None:
    operator.answer = Asked(began=True, wait=3.2)
    _, body = await post(admin)
    assert body["message"] == (
        "A new token is due. Its mint begins in 4 s: the last mints failed, or followed each other "
        "too closely."
    )


async def test_a_store_that_is_down_is_told(admin: Client, operator: Operator) -> None:
    operator.answer = Asked(began=True, wait=0.0, store_down=True)
    status, body = await post(admin)
    assert (status, body["result"]) == (202, "due")
    assert body["message"].startswith("A new token is minted once the token store")


async def test_nothing_is_done_unless_it_is_allowed(admin: Client, operator: Operator) -> None:
    operator.allowed = False
    status, body = await post(admin)
    assert status == 403
    assert "admin.allow_actions" in body["message"]
    assert (await post(admin, "/accounts/nobody/rotate"))[0] == 403
    assert not operator.asked


async def test_an_unknown_account(admin: Client) -> None:
    assert (await post(admin, "/accounts/nobody/rotate"))[0] == 404
    assert (await post(admin, "/accounts/a%2Fb/rotate"))[0] == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_only_a_post_acts(admin: Client, operator: Operator, method: str) -> None:
    answer = await admin.request(method, ROTATE, headers=JSON)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert not operator.asked


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_what_a_form_of_another_site_can_send_is_refused(
    admin: Client, operator: Operator, kind: str
) -> None:
    answer = await admin.post(ROTATE, data=b"{}", headers={"Content-Type": kind})
    assert answer.status == 415
    assert not operator.asked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1:1"),
        ("Origin", ""),
        ("Origin", "http://[::1"),
        ("Origin", "http://\u2100.example"),
        ("Sec_Fetch_Site", "cross-site"),
        ("Sec_Fetch_Site", "same-site"),
        ("Sec_Fetch_Site", "none"),
        ("Host", "gateway.example.com"),
        ("Host", "127.0.0.1.evil.example:9090"),
        ("Host", "localhost.evil.example"),
        ("Host", "a.svc.evil.example"),
        ("Host", "[::1"),
    ],
)
async def test_another_site_is_refused(
    admin: Client, operator: Operator, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    assert (await post(admin, **{name: value}))[0] in {400, 403}
    assert not operator.asked
    assert not caplog.records


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1:9090",
            "[::1]:9090",
            "10.1.2.3",
            "localhost:9090",
            "LOCALHOST",
            "gw.localhost",
        ),
        *("gateway", "gateway:9090", "gw.zoom.svc", "gw.zoom.svc.cluster.local", "gw.internal."),
    ],
)
async def test_names_that_no_stranger_can_give(admin: Client, host: str) -> None:
    origin = f"http://{host}"
    status, _ = await post(admin, Host=host, Origin=origin, Sec_Fetch_Site="same-origin")
    assert status == 202


async def test_the_origin_must_be_the_host(admin: Client) -> None:
    assert (await post(admin, Host="gateway:9090", Origin="http://gateway:9091"))[0] == 403


async def test_a_body_is_bounded(admin: Client, operator: Operator) -> None:
    answer = await admin.post(ROTATE, data=b"x" * 100_000, headers=JSON)
    assert answer.status in {202, 413}
    assert len(operator.asked) <= 1


@pytest.mark.parametrize("allowed", [True, False])
async def test_the_page_offers_what_is_allowed(
    admin: Client, operator: Operator, *, allowed: bool
) -> None:
    operator.allowed = allowed
    text = await (await admin.get("/")).text()
    assert ('data-rotate="default"' in text) is allowed
    body = await (await admin.get("/status.json")).json()
    assert body["actions"] == (["rotate"] if allowed else [])


async def test_the_page_says_what_it_costs(aiohttp_client: Any) -> None:
    two = healthy()
    one = replace(two, account=replace(two.account, slots=two.account.slots[1:]))
    for chart, kills in ((two, False), (one, True)):
        parts = replace(sources({"default": chart}), may_act=lambda: True)
        client = await aiohttp_client(RawTestServer(AdminSite(parts).answer))
        assert ("kills the token in use" in await (await client.get("/")).text()) is kills
