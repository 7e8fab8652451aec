import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import uvloop

from gateway.sim import Account, App, ReadError, SimClient, SimConfig, Simulator, run


async def test_the_state_shows_live_tokens_by_fingerprint(zoom: SimClient) -> None:
    await zoom.control("config", {"token_life": 100})
    token = await zoom.mint(2)
    await zoom.control("advance", {"seconds": 10})
    state = await zoom.state()
    (shown,) = state["tokens"]
    assert (shown["app"], shown["index"], shown["account_id"]) == ("demo-client", 2, "demo-account")
    assert 10 <= shown["age"] < 20
    assert 80 < shown["remaining"] <= 90
    assert state["mode"] == "single"
    assert state["mints"] == {"total": 1, "by_slot": {"demo-client/2": 1}}
    await zoom.call(token)
    assert (await zoom.control("requests", method="GET"))[-1]["token"] == shown["token"]


@pytest.mark.parametrize(
    ("body", "killed"),
    [
        ({}, 4),
        ({"app": "demo-client"}, 3),
        ({"app": "demo-client", "index": 0}, 2),
        ({"index": 0}, 3),
        ({"newest": True}, 1),
    ],
)
async def test_kill(zoom: SimClient, body: dict[str, Any], killed: int) -> None:
    await zoom.control("config", {"mode": "max:5"})
    for index in (0, 0, 1):
        await zoom.mint(index)
    newest = await zoom.mint(0, second_app=True)
    assert await zoom.control("kill", body) == {"killed": killed}
    state = await zoom.state()
    assert (state["kills"], len(state["tokens"])) == (killed, 4 - killed)
    assert (await zoom.call(newest)).status == (200 if "app" in body else 401)


async def test_a_foreign_mint_kills_ours_and_is_counted_apart(zoom: SimClient) -> None:
    token = await zoom.mint()
    other = await zoom.mint(1)
    shown = await zoom.control("mint", {"app": "demo-client", "index": 0})
    assert (shown["app"], shown["index"]) == ("demo-client", 0)
    assert (await zoom.call(token)).status == 401
    assert (await zoom.call(other)).status == 200
    await zoom.control("mint", {"index": 1})
    assert (await zoom.call(other)).status == 401
    state = await zoom.state()
    assert (state["mints"]["total"], state["foreign_mints"]["total"]) == (2, 2)


async def test_faults_are_replaced_merged_and_cleared(zoom: SimClient) -> None:
    healthy = await zoom.control("faults", method="GET")
    await zoom.faults(status=500, delay=0.5)
    merged = await zoom.control("faults", {"delay": None, "html": True}, "PATCH")
    assert (merged["status"], merged["delay"], merged["html"]) == (500, 0.0, True)
    assert (await zoom.faults(html=True))["status"] is None
    assert await zoom.control("faults", method="DELETE") == healthy


async def test_shown_faults_can_be_put_back(zoom: SimClient) -> None:
    shown = await zoom.faults(
        refuse_paths=["GET /v2/a", {"method": "*", "path": "/v2/b*"}],
        refusal={"status": 400},
        mint_headers={"A": "b"},
        redirect={"path": "/x", "location": "/y"},
        api_delay_paths=[{"path": {"path": "/z"}, "delay": 1}],
    )
    assert await zoom.control("faults", shown, "PUT") == shown


@pytest.mark.parametrize(
    ("faults", "problem"),
    [
        ({"nonsense": 1}, "unknown key 'nonsense'"),
        ({"refuse_all": 1}, "refuse_all: must be true or false"),
        ({"status": 99}, "status: must be an HTTP status"),
        ({"status": "x"}, "status: must be an HTTP status"),
        ({"delay": -1}, "delay: must be a number of seconds"),
        ({"drop": "never"}, "drop: must be one of before_headers, mid_body"),
        ({"drop_share": 2}, "drop_share: must be a number from 0 to 1"),
        ({"fail_next": 1.5}, "fail_next: must be a whole number"),
        ({"refusal": {"form": "x"}}, "refusal: form: must be one of"),
        ({"refusal": {"code": "x"}}, "refusal: code: must be a whole number"),
        ({"refusal": []}, "refusal: the body must be a JSON object"),
        ({"refuse_paths": {}}, "refuse_paths: must be a list"),
        ({"refuse_paths": ["nowhere"]}, "is no rule"),
        ({"refuse_paths": [{"path": "/a", "verb": "x"}]}, "unknown key verb"),
        ({"refuse_paths": [1]}, "must be an object"),
        ({"redirect": {"path": "/a"}}, "must be an object with 'location'"),
        ({"mint_headers": []}, "must be an object of header names"),
        ({"mint_headers": {"A": "b\r\nC: d"}}, "without line breaks"),
        ({"mint_content_type": 5}, "mint_content_type: must be a string"),
        ({"cut_body": "x"}, "cut_body: must be one of length, chunked"),
    ],
)
async def test_bad_faults_change_nothing(
    zoom: SimClient, faults: dict[str, Any], problem: str
) -> None:
    before = await zoom.faults(html=True)
    for method in ("PUT", "PATCH"):
        with pytest.raises(ValueError, match=f"400: .*{problem}"):
            await zoom.control("faults", faults, method)
    assert await zoom.control("faults", method="GET") == before


@pytest.mark.parametrize(
    ("verb", "body", "problem"),
    [
        ("kill", {"app": "nobody"}, "there is no app"),
        ("kill", {"apps": "x"}, "unknown key"),
        ("mint", {"app": "nobody"}, "there is no app"),
        ("mint", {"index": -1}, "index: must be a whole number"),
        ("reset", {"tokens": 1}, "tokens: must be true or false"),
        ("config", {"mode": "max:0"}, "unknown mode"),
        ("config", {"port": 1}, "unknown key 'port'"),
        ("config", {"token_life": 0}, "token_life: must be more than 0"),
        ("config", {"missing_scopes": {"x": ["a"]}}, "missing_scopes: 'x' is no rule"),
        ("advance", {}, "seconds: is required"),
        ("rotate-secret", {"app": "demo-client"}, "client_secret: is required"),
        ("kill", [], "must be a JSON object"),
    ],
)
async def test_bad_input_to_verbs(zoom: SimClient, verb: str, body: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=f"400: .*{problem}"):
        await zoom.control(verb, body)


async def test_bad_control_calls(zoom: SimClient) -> None:
    assert (await zoom.request("POST", "/_sim/kill", data=b"{")).status == 400
    assert (await zoom.request("GET", "/_sim/requests?limit=x")).status == 400
    for method, verb in (("GET", "nothing"), ("DELETE", "state"), ("GET", "")):
        reply = await zoom.request(method, f"/_sim/{verb}")
        assert reply.status == 404
        assert "POST /_sim/kill" in reply.json()["verbs"]


async def test_reset(zoom: SimClient) -> None:
    token = await zoom.mint()
    await zoom.call("garbage")
    await zoom.faults(delay=0.001)
    state = await zoom.control("reset")
    assert (state["calls"], state["mints"]["total"], state["violations"]) == (0, 0, [])
    assert (await zoom.control("faults", method="GET"))["delay"] == 0
    assert (await zoom.call(token)).status == 200
    assert (await zoom.control("reset", {"tokens": True}))["tokens"] == []
    assert (await zoom.call(token)).status == 401


async def test_config_shows_and_restores(zoom: SimClient) -> None:
    changed = await zoom.control("config", {"mode": "multi", "rate_plan": "pro"})
    assert (changed["mode"], changed["rate_plan"]) == ("multi", "pro")
    restored = await zoom.control("config", {"mode": None, "rate_plan": None})
    assert (restored["mode"], restored["rate_plan"]) == ("single", None)


async def test_the_log_keeps_the_last_thousand(sim: Simulator, zoom: SimClient) -> None:
    for number in range(1002):
        await zoom.call("x", f"/v2/{number}")
    seen = sim.control.requests()
    assert (len(seen), seen[-1]["target"]) == (1000, "/v2/1001")
    limited = await zoom.control("requests?limit=2", method="GET")
    assert [item["target"] for item in limited] == ["/v2/1000", "/v2/1001"]
    assert sim.control.requests(0) == []


async def test_methods_equal_the_verbs(sim: Simulator, zoom: SimClient) -> None:
    await zoom.mint()
    assert sim.control.kill(newest=True) == {"killed": 1}
    assert sim.control.put_faults(status=500)["status"] == 500
    assert sim.control.patch_faults(html=True)["status"] == 500
    assert sim.control.clear_faults() == sim.control.faults()
    with pytest.raises(ReadError, match="unknown key"):
        sim.control.put_faults(nonsense=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "x"},
        {"token_life": 0},
        {"users": 0},
        {"page_size": 500},
        {"accounts": ()},
        {"accounts": (Account("a", (App("c", "s"), App("c", "t"))),)},
        {"refuse_with_400": ("x",)},
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        SimConfig(**wrong)


def test_secrets_stay_out_of_the_representation() -> None:
    assert "demo-secret" not in repr(SimConfig())


async def serve_until_stopped() -> tuple[str, int]:
    urls: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    task = asyncio.create_task(run(SimConfig(), stop=stop, announce=urls.put_nowait))
    url = await urls.get()
    async with SimClient(url) as zoom:
        status = (await zoom.call(await zoom.mint())).status
    stop.set()
    await task
    return url, status


async def test_run_serves_until_it_is_stopped() -> None:
    url, status = await serve_until_stopped()
    assert (url.startswith("http://127.0.0.1:"), status) == (True, 200)


def test_it_runs_under_uvloop() -> None:
    assert uvloop.run(serve_until_stopped())[1] == 200


async def test_stopping_does_not_wait_for_slow_calls(
    sim: Simulator, zoom: SimClient, eventually: Callable[[str], Awaitable[None]]
) -> None:
    token = await zoom.mint()
    sim.control.put_faults(delay=60)
    call = asyncio.create_task(zoom.call(token))
    await eventually("calls")
    async with asyncio.timeout(5):
        await sim.stop()
        with pytest.raises(aiohttp.ClientError):
            await call
