"""The emulated token endpoint."""

import base64
from contextlib import AbstractAsyncContextManager

import pytest

from gateway.web.accounts import AccountContext
from tests.support.listening import KIB, Listening, listening
from tests.support.raw_http import Heard, request
from tests.support.scripted_tokens import ScriptedTokens

FORM = b"Content-Type: application/x-www-form-urlencoded"
JSON = b"Content-Type: application/json"
BASIC = b"Authorization: Basic " + base64.b64encode(b"id:secret")

EU = AccountContext("eu", ScriptedTokens(), "acc-eu", lambda: "meeting:read")
US = AccountContext("us", ScriptedTokens(), "acc-us", lambda: "user:read")

PLACEHOLDER = {
    "access_token": "zoom-gateway",
    "token_type": "bearer",
    "expires_in": 3599,
    "scope": "user:read",
    "api_url": "http://gateway.test:8080",
}


def without_default() -> AbstractAsyncContextManager[Listening]:
    """Several accounts, of which a call must name one."""
    return listening(accounts=[EU, US], has_default=False)


async def ask(
    running: Listening, target: bytes, *fields: bytes, method: bytes = b"POST", body: bytes | None
) -> Heard:
    async with await running.caller() as caller:
        heard = await caller.call(request(target, *fields, method=method, body=body))
        assert (await caller.call(request())).status == 200  # the connection goes on
    assert len(running.upstream.sent) == 1
    running.upstream.sent.clear()
    return heard


@pytest.mark.parametrize(
    ("target", "fields", "body"),
    [
        (b"/oauth/token", (FORM, BASIC), b"grant_type=account_credentials&account_id=acc-default"),
        (b"/oauth/token?grant_type=account_credentials&account_id=acc-default", (BASIC,), None),
        (b"/oauth/token?grant_type=account_credentials", (JSON, BASIC), b"{}"),
        (b"/oauth/token", (JSON,), b'{"account_id": "acc-default", "x": [1]}'),
        (b"/oauth/token", (), b""),
        (b"/oauth/token", (FORM,), b"client_id=id&client_secret=s&%ff=%fe&&&"),
        (b"/oauth/token", (JSON,), b"{broken"),
        (b"/oauth/token", (JSON,), b"[1]"),
        (b"/oauth/token", (JSON,), b'{"a":' * 10_000),
        (b"/oauth/token", (), b"\x00\xff" * 100),
        (b"/oauth/token", (), b"account_id=&x" * 1000),
    ],
)
async def test_whatever_is_sent_a_placeholder_is_given(
    target: bytes, fields: tuple[bytes, ...], body: bytes | None
) -> None:
    async with listening(accounts=[EU]) as running:
        heard = await ask(running, target, *fields, body=body)
        assert (heard.status, heard.json()) == (200, PLACEHOLDER)
        assert heard.one(b"content-type") == b"application/json"
        assert heard.one(b"cache-control") == b"no-store"
        assert heard.one(b"x-request-id")
        assert running.unknown_ids == []
        report = (await running.reports.get(2))[0]
        assert (report.account, report.status, report.error) == ("default", 200, "")
        assert report.bytes_in == len(body or b"")


@pytest.mark.parametrize(
    ("target", "fields", "body", "api_url"),
    [
        (b"/oauth/token", (FORM,), b"account_id=acc-eu", ""),
        (b"/oauth/token?account_id=acc-eu", (), None, ""),
        (b"/oauth/token?account_id=acc-default", (JSON,), b'{"account_id":"acc-eu"}', ""),
        (b"/@eu/oauth/token", (FORM,), b"account_id=acc-eu", "/@eu"),
        (b"/%40eu/oauth/token", (), None, "/%40eu"),
        (b"/oauth/token", (b"X-Zoom-Account: eu",), None, ""),
        (b"/oauth/token", (b"Authorization: Bearer zoom-gateway.eu",), None, ""),
    ],
)
async def test_another_account_is_picked(
    target: bytes, fields: tuple[bytes, ...], body: bytes | None, api_url: str
) -> None:
    async with listening(accounts=[EU]) as running:
        document = (await ask(running, target, *fields, body=body)).json()
        assert document["access_token"] == "zoom-gateway.eu"
        assert document["scope"] == "meeting:read"
        assert document["api_url"] == "http://gateway.test:8080" + api_url


async def test_the_placeholder_comes_back_as_a_bearer_token() -> None:
    async with listening(accounts=[EU]) as running:
        document = (await ask(running, b"/oauth/token?account_id=acc-eu", body=None)).json()
        bearer = f"Authorization: {document['token_type']} {document['access_token']}".encode()
        async with await running.caller() as caller:
            assert (await caller.call(request(b"/v2/users", bearer))).status == 200
        assert (await running.reports.get(3))[-1].account == "eu"


async def test_an_unknown_id_is_reported_and_still_answered() -> None:
    async with listening(accounts=[EU]) as running:
        for target, token in (
            (b"/oauth/token", "zoom-gateway"),
            (b"/@eu/oauth/token", "zoom-gateway.eu"),
        ):
            body = b"account_id=" + b"z" * 100
            document = (await ask(running, target, FORM, body=body)).json()
            assert document["access_token"] == token
        assert running.unknown_ids == ["z" * 64] * 2


@pytest.mark.parametrize(
    ("target", "body"),
    [
        (b"/oauth/token", b"grant_type=account_credentials&account_id=acc-eu"),
        (b"/oauth/token?account_id=acc-eu", None),
        (b"/@eu/oauth/token", b"account_id=acc-eu"),
        (b"/@eu/oauth/token", b"account_id=acc-none"),
        (b"/@eu/oauth/token", b""),
    ],
)
async def test_without_a_default_account_the_id_or_the_name_picks_one(
    target: bytes, body: bytes | None
) -> None:
    async with without_default() as running, await running.caller() as caller:
        heard = await caller.call(request(target, FORM, method=b"POST", body=body))
        assert (heard.status, heard.json()["access_token"]) == (200, "zoom-gateway.eu")
        assert heard.json()["scope"] == "meeting:read"


@pytest.mark.parametrize(
    ("body", "unknown"), [(b"account_id=acc-none", ["acc-none"]), (b"account_id=", []), (b"", [])]
)
async def test_without_a_default_account_somebody_must_name_one(
    body: bytes, unknown: list[str]
) -> None:
    async with without_default() as running, await running.caller() as caller:
        heard = await caller.call(request(b"/oauth/token", FORM, method=b"POST", body=body))
        assert (heard.status, heard.slug) == (404, "unknown_account")
        assert running.unknown_ids == unknown
        heard = await caller.call(request(b"/oauth/token", FORM, method=b"POST", body=b"x=1"))
        assert heard.status == 404  # the connection goes on
        assert [report.account for report in await running.reports.get(2)] == ["unknown"] * 2
    assert running.upstream.sent == []


async def test_without_a_default_account_revoking_needs_none() -> None:
    async with without_default() as running, await running.caller() as caller:
        heard = await caller.call(request(b"/oauth/revoke", BASIC, method=b"POST", body=b""))
        assert (heard.status, heard.body) == (200, b'{"status":"success"}')


async def test_without_a_default_account_a_name_that_is_none_is_refused() -> None:
    async with without_default() as running, await running.caller() as caller:
        form = b"account_id=acc-eu"
        heard = await caller.call(request(b"/@asia/oauth/token", FORM, method=b"POST", body=form))
        assert (heard.status, heard.slug) == (404, "unknown_account")


async def test_without_a_default_account_calls_to_zoom_must_name_one() -> None:
    async with without_default() as running, await running.caller() as caller:
        heard = await caller.call(request(b"/v2/users"))
        assert (heard.status, heard.slug) == (404, "unknown_account")
    assert running.upstream.sent == []


async def test_an_id_that_contradicts_the_account_named() -> None:
    async with listening(accounts=[EU]) as running:
        heard = await ask(running, b"/@eu/oauth/token", FORM, body=b"account_id=acc-default")
        assert (heard.status, heard.slug) == (400, "account_conflict")


@pytest.mark.parametrize(
    ("grant", "refreshes"),
    [
        (b"refresh_token", True),
        (b"authorization_code", True),
        (b"account_credentials", False),
        (b"client_credentials", False),
    ],
)
async def test_grants_that_give_a_refresh_token(grant: bytes, refreshes: bool) -> None:  # noqa: FBT001
    async with listening() as running:
        heard = await ask(running, b"/oauth/token", FORM, body=b"grant_type=" + grant)
        expected = {**PLACEHOLDER, "refresh_token": "zoom-gateway"} if refreshes else PLACEHOLDER
        assert heard.json() == expected


@pytest.mark.parametrize(
    ("fields", "scheme"),
    [
        ((b"X-Forwarded-Proto: https",), "https"),
        ((b"X-Forwarded-Proto: HTTP",), "http"),
        ((b"X-Forwarded-Proto: javascript",), "http"),
    ],
)
async def test_the_scheme_behind_a_tls_proxy(fields: tuple[bytes, ...], scheme: str) -> None:
    async with listening() as running:
        document = (await ask(running, b"/oauth/token", *fields, body=None)).json()
        assert document["api_url"] == f"{scheme}://gateway.test:8080"


@pytest.mark.parametrize("host", [b"", b"Host:\r\n"])
async def test_without_a_usable_host_our_own_address_is_given(host: bytes) -> None:
    async with listening() as running:
        async with await running.caller() as caller:
            heard = await caller.call(b"POST /oauth/token HTTP/1.0\r\n" + host + b"\r\n")
        address, port = running.address
        assert heard.json()["api_url"] == f"http://{address}:{port}"


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"DELETE", b"OPTIONS"])
@pytest.mark.parametrize("target", [b"/oauth/token", b"/oauth/revoke", b"/@eu/oauth/token"])
async def test_other_methods(method: bytes, target: bytes) -> None:
    async with listening(accounts=[EU]) as running:
        heard = await ask(running, target, method=method, body=None)
        assert (heard.status, heard.slug) == (405, "method")
        assert heard.one(b"allow") == b"POST"


async def test_revoking_revokes_nothing() -> None:
    async with listening() as running:
        heard = await ask(running, b"/oauth/revoke?token=zoom-gateway", BASIC, body=b"")
        assert (heard.status, heard.body) == (200, b'{"status":"success"}')
        assert running.tokens.refused == []


async def test_a_body_larger_than_any_token_request() -> None:
    async with listening() as running:
        heard = await ask(running, b"/oauth/token", body=b"x" * 300 * KIB)
        assert (heard.status, heard.slug) == (413, "body_too_large")


async def test_a_chunked_token_request_that_waits_to_be_asked() -> None:
    async with listening(accounts=[EU]) as running, await running.caller() as caller:
        await caller.send(
            request(
                b"/oauth/token",
                b"Transfer-Encoding: chunked",
                b"Expect: 100-continue",
                method=b"POST",
            )
        )
        assert (await caller.hear_head()).status == 100
        heard = await caller.call(b"11\r\naccount_id=acc-eu\r\n0\r\n\r\n")
        assert heard.json()["access_token"] == "zoom-gateway.eu"


@pytest.mark.parametrize(
    "target",
    [
        b"/oauth/token/",
        b"//oauth/token",
        b"/%6fauth/token",
        b"/oauth%c0%aftoken",
        b"/oauth/token.json",
    ],
)
async def test_other_spellings_do_not_reach_zoom(target: bytes) -> None:
    async with listening() as running:
        heard = await ask(running, target, body=b"grant_type=account_credentials")
        assert (heard.status, heard.slug) == (404, "oauth_not_forwarded")
