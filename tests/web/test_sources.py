"""Names that a call comes under, and web pages that a browser makes calls for."""

import pytest

from gateway.core.hosts import HostNames
from gateway.web.sources import Sources
from tests.support.listening import Listening, listening
from tests.support.raw_http import Heard
from tests.support.scripted_upstream import Reply, ScriptedUpstream

HERE = b"localhost:8080"


async def call(
    running: Listening,
    *fields: bytes,
    host: bytes | None = HERE,
    method: bytes = b"GET",
    target: bytes = b"/v2/users/me",
) -> Heard:
    lines = [method + b" " + target + b" HTTP/1.1", *([b"Host: " + host] if host else []), *fields]
    async with await running.caller() as caller:
        return await caller.call(b"\r\n".join([*lines, b"", b""]))


def refused(running: Listening, heard: Heard, slug: str) -> None:
    assert (heard.status, heard.slug) == (403, slug)
    assert running.upstream.sent == []
    assert running.tokens.endpoints == []


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"evil.example:8080",
        b"localhost.evil.example:8080",
        b"127.0.0.1.nip.io",
        b"user@localhost",
        b"[::1",
    ],
)
@pytest.mark.parametrize(
    ("method", "target"), [(b"GET", b"/v2/users/me"), (b"POST", b"/oauth/token")]
)
async def test_a_name_that_may_be_a_strangers(host: bytes, method: bytes, target: bytes) -> None:
    async with listening() as running:
        heard = await call(running, b"Content-Length: 0", host=host, method=method, target=target)
        refused(running, heard, "host_refused")
        assert "access.hosts" in heard.json()["message"]


@pytest.mark.parametrize(
    "host", [b"127.0.0.1:8080", b"[::1]:8080", b"gateway", b"z.svc", b"a.test"]
)
async def test_a_name_of_our_own(host: bytes) -> None:
    async with listening() as running:
        assert (await call(running, host=host)).status == 200


async def test_a_name_that_is_listed() -> None:
    async with listening(sources=Sources(HostNames(["zoom.example.com"]))) as running:
        assert (await call(running, host=b"Zoom.example.com:443")).status == 200
        assert (await call(running, host=b"zoom.example.org")).status == 403


async def test_each_of_several_names_counts() -> None:
    async with listening() as running:
        heard = await call(running, b"Host: evil.example")
        assert heard.status in {400, 403}
        assert running.upstream.sent == []


async def test_the_connection_goes_on_after_a_refusal() -> None:
    async with listening() as running, await running.caller() as caller:
        refusal = await caller.call(b"GET /v2/users/me HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert refusal.slug == "host_refused"
        answer = await caller.call(b"GET /v2/users/me HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.status == 200


@pytest.mark.parametrize(
    "fields",
    [
        (b"Origin: http://evil.example",),
        (b"Origin: null",),
        (b"Origin: http://localhost:3000",),
        (b"Origin: http://localhost:8080", b"Origin: http://evil.example"),
        (b"Sec-Fetch-Site: cross-site",),
        (b"Sec-Fetch-Site: same-site",),
        (b"sec-fetch-site: Cross-Site", b"Sec-Fetch-Mode: navigate"),
        (b"Sec-Fetch-Site: same-origin", b"Origin: https://evil.example"),
        (b"Connection: origin", b"Origin: http://evil.example"),
        (b"Connection: sec-fetch-site", b"Sec-Fetch-Site: cross-site"),
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE", b"OPTIONS"])
async def test_a_page_of_another_origin(fields: tuple[bytes, ...], method: bytes) -> None:
    async with listening() as running:
        heard = await call(running, b"Content-Length: 0", *fields, method=method)
        refused(running, heard, "cross_site")
        assert "access.origins" in heard.json()["message"]
        assert [name for name, _ in heard.headers if name.lower().startswith(b"access-c")] == []


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (b"Sec-Fetch-Site: none",),
        (b"Sec-Fetch-Site: same-origin", b"Origin: http://localhost:8080"),
    ],
)
async def test_a_program_the_user_or_our_own_origin(fields: tuple[bytes, ...]) -> None:
    async with listening() as running:
        assert (await call(running, *fields)).status == 200


async def test_a_page_whose_origin_is_listed() -> None:
    sources = Sources(HostNames(), frozenset({b"http://localhost:3000"}))
    async with listening(sources=sources) as running:
        origin = b"Origin: http://localhost:3000"
        heard = await call(running, origin, b"Sec-Fetch-Site: same-site", method=b"DELETE")
        assert heard.status == 200
        assert (await call(running, b"Origin: http://localhost:3001")).status == 403


async def test_no_answer_says_that_pages_may_read_it() -> None:
    fields = [
        (b"Access-Control-Allow-Origin", b"*"),
        (b"access-control-allow-credentials", b"true"),
        (b"Access-Control-Allow-Private-Network", b"true"),
        (b"Access-Control-Expose-Headers", b"*"),
        (b"Timing-Allow-Origin", b"*"),
        (b"Content-Length", b"0"),
        (b"X-Kept", b"1"),
    ]
    sources = Sources(HostNames(), frozenset({b"http://localhost:3000"}))
    upstream = ScriptedUpstream(Reply(200, fields), Reply(204, fields))
    async with listening(upstream, sources=sources) as running:
        for method in (b"GET", b"OPTIONS"):
            heard = await call(running, b"Origin: http://localhost:3000", method=method)
            names = {name.lower() for name, _ in heard.headers}
            assert b"x-kept" in names
            assert not any(name.startswith((b"access-", b"timing-")) for name in names)
