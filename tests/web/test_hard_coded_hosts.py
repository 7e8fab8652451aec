"""Clients that name Zoom's hosts, and are sent here by DNS."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import CallRefusedError
from gateway.core.headers import read_caller
from gateway.core.hosts import HostNames
from gateway.core.loops import LoopMark
from gateway.web.accounts import AccountContext, Accounts
from gateway.web.admit import Admission
from gateway.web.origins import Origin
from gateway.web.sources import Sources
from tests.support.listening import Listening, endpoint_of, listening
from tests.support.raw_http import Heard
from tests.support.scripted_hosts import ZOOMS as ZOOMS_NAME
from tests.support.scripted_hosts import ScriptedHosts
from tests.support.scripted_tokens import ScriptedTokens
from tests.support.scripted_upstream import Reply
from tests.web.test_admit import Asked

ZOOMS = Sources(HostNames(zooms=True))
HERE = Reply(200, [(b"Content-Length", b"2")], [b"ok"])
MARK = LoopMark("5f3a")


async def ask(
    running: Listening, host: bytes, target: bytes, *fields: bytes, method: bytes = b"GET"
) -> Heard:
    length = (b"Content-Length: 0",) if method == b"POST" else ()
    head = b"\r\n".join(
        [method + b" " + target + b" HTTP/1.1", b"Host: " + host, *length, *fields, b"", b""]
    )
    async with await running.caller() as caller:
        return await caller.call(head)


@pytest.mark.parametrize("host", [b"api.zoom.us", b"API.zoom.us:443", b"api.zoomgov.com"])
@pytest.mark.parametrize("form", [b"", b"https://"])
async def test_the_api_is_the_accounts(host: bytes, form: bytes) -> None:
    hosts = ScriptedHosts()
    async with listening(sources=ZOOMS, elsewhere=hosts.elsewhere()) as running:
        target = (form + host if form else b"") + b"/v2/users/me?x=%2F"
        assert (await ask(running, host, target)).status == 200
        (sent,) = running.upstream.sent
        assert (sent.target, sent.values(b"host")) == (b"/v2/users/me?x=%2F", [b"api.zoom.test"])
        assert hosts.sent == []


@pytest.mark.parametrize(
    ("host", "api_url"),
    [
        (b"zoom.us", "https://api.zoom.us"),
        (b"zoom.us:8443", "https://api.zoom.us:8443"),
        (b"api.zoom.us", "https://api.zoom.us"),
        (b"zoomgov.com", "https://api.zoomgov.com"),
    ],
)
async def test_tokens_are_the_gateways_own_and_name_zooms_api(host: bytes, api_url: str) -> None:
    hosts = ScriptedHosts()
    async with listening(sources=ZOOMS, elsewhere=hosts.elsewhere()) as running:
        heard = await ask(running, host, b"/oauth/token", method=b"POST")
        assert heard.status == 200
        document = json.loads(heard.body)
        assert (document["access_token"], document["api_url"]) == ("zoom-gateway", api_url)
        assert (await ask(running, host, b"/oauth/revoke", method=b"POST")).status == 200
        # No spelling of it goes to Zoom.
        assert (await ask(running, host, b"/oauth//token", method=b"POST")).status == 404
        assert (hosts.sent, running.upstream.sent) == ([], [])


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"us02web.zoom.us", "us02web.zoom.us"),
        (b"FileAPI.zoom.us:443", "fileapi.zoom.us"),
        (b"zoom.us.", "zoom.us"),
        (b"api-eu.zoom.us", "api-eu.zoom.us"),
    ],
)
async def test_other_hosts_are_reached_by_their_names(host: bytes, name: str) -> None:
    hosts = ScriptedHosts(**{name.replace(".", "_"): HERE})
    async with listening(sources=ZOOMS, elsewhere=hosts.elsewhere()) as running:
        for _ in range(3):
            assert (await ask(running, host, b"/rec/download/abc?x=1")).status == 200
        assert hosts.visited == [(name, "GET", b"/rec/download/abc?x=1", b"Bearer token-1")] * 3
        assert running.upstream.sent == []


async def test_one_connection_may_name_several_hosts() -> None:
    """What was read of one name does not hold for another."""
    hosts = ScriptedHosts(us02web_zoom_us=HERE, fileapi_zoom_us=HERE)
    names = [b"us02web.zoom.us", b"api.zoom.us", b"fileapi.zoom.us", b"gateway.svc"]
    async with listening(sources=ZOOMS, elsewhere=hosts.elsewhere()) as running:
        async with await running.caller() as caller:
            for name in names * 2:
                head = b"GET /v2/users/me HTTP/1.1\r\nHost: " + name + b"\r\n\r\n"
                for _ in range(3):
                    assert (await caller.call(head)).status == 200
        assert [host for host, *_ in hosts.visited] == [
            *["us02web.zoom.us"] * 3,
            *["fileapi.zoom.us"] * 3,
        ] * 2
        assert len(running.upstream.sent) == 12


async def test_pages_of_other_sites_are_refused_under_zooms_names_too() -> None:
    async with listening(sources=ZOOMS) as running:
        evil = b"Origin: https://evil.example"
        assert (await ask(running, b"api.zoom.us", b"/v2/users/me", evil)).status == 403
        page = b"Origin: https://zoom.us"
        assert (await ask(running, b"api.zoom.us", b"/v2/users/me", page)).status == 403
        for stranger in (b"zoom.us.evil.example", b"notzoom.us", b"evil.example"):
            heard = await ask(running, stranger, b"/v2/users/me")
            assert (heard.status, heard.values(b"x-zoom-gateway-error")) == (403, [b"host_refused"])
        assert running.upstream.sent == []


async def test_a_call_that_comes_back_is_not_sent_again() -> None:
    async with listening(sources=ZOOMS, mark=MARK) as running:
        # Under a name of the gateway's own it cannot come back: nothing is added.
        assert (await ask(running, b"gateway.svc", b"/v2/users/me")).status == 200
        assert (await ask(running, b"api.zoom.us", b"/v2/users/me")).status == 200
        plain, marked = running.upstream.sent
        assert plain.values(b"cdn-loop") == []
        assert marked.values(b"cdn-loop") == [MARK.field[1]]
        for _ in range(2):
            heard = await ask(
                running, b"api.zoom.us", b"/v2/users/me", b"CDN-Loop: x, " + MARK.field[1]
            )
            assert heard.status == 508
            assert heard.values(b"x-zoom-gateway-error") == [b"loop"]
            assert "leads back" in json.loads(heard.body)["message"]
        assert len(running.upstream.sent) == 2
        # Another's marks are kept.
        assert (await ask(running, b"zoom.us", b"/v2/x", b"CDN-Loop: cdn.example")).status == 200
        assert running.upstream.sent[2].values(b"cdn-loop") == [b"cdn.example", MARK.field[1]]


async def test_the_name_of_the_upstream_is_one_that_calls_come_back_by() -> None:
    """It is not Zoom's where there is a front of the operator's own."""
    names = Sources(HostNames(["api.zoom.test"]))
    async with listening(sources=names, mark=MARK) as running:
        async with await running.caller() as caller:
            for _ in range(3):
                head = b"GET /v2/users/me HTTP/1.1\r\nHost: api.zoom.test\r\n\r\n"
                assert (await caller.call(head)).status == 200
        assert [one.values(b"cdn-loop") for one in running.upstream.sent] == [[MARK.field[1]]] * 3


PIECES = st.lists(
    st.sampled_from(
        [
            *(b"zoom.us", b"zoomgov.com", b"api.", b"us02web.", b"evil.example", b".", b":", b"@"),
            *(b":443", b"%2e", b"%00", b"/", b"\\", b"#", b"?", b"127.0.0.1", b"[::1]", b"xn--"),
            *(b"ZOOM.US", b"-", b"_", b" ", b"\xe2\x93\xa9oom.us", b"localhost", b"2130706433"),
        ]
    ),
    max_size=5,
).map(b"".join)
TARGETS = st.sampled_from(
    [b"/v2/users/me", b"/rec/x", b"/_hosts/evil.example/x", b"/_hosts/us02web.zoom.us/x", b"/@a/v2"]
)


@given(PIECES, TARGETS, st.booleans())
def test_whatever_host_says_calls_go_to_zoom_alone(host: bytes, target: bytes, whole: bool) -> None:  # noqa: FBT001  drawn
    hosts = ScriptedHosts()
    api = Origin(hosts.at("api.zoom.us"), b"api.zoom.us")
    accounts = Accounts([AccountContext("default", ScriptedTokens())])
    admission = Admission(accounts, endpoint_of, api, hosts.elsewhere().origin, MARK)
    raw = b"https://" + host + target if whole else target
    asked = Asked(raw)
    try:
        call = admission.admit(asked, read_caller([(b"Host", host)]), None)  # type: ignore[arg-type]  # all it needs
    except CallRefusedError:
        return
    assert ZOOMS_NAME.fullmatch(call.origin.host)
    sent = [value for name, value in call.fields if name.lower() == b"host"]
    assert sent == [call.origin.host]
    if not HostNames(zooms=True).allow(host):
        # Such a call is refused next, by its name.
        assert call.origin is api or target.startswith(b"/_hosts/us02web.")
