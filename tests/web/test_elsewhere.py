"""Calls to Zoom's other hosts: whose they are, where redirects lead, and what the caller gets."""

import asyncio

import pytest

from gateway.core.errors import UpstreamStaleError
from gateway.reports import ReplayOutcome
from tests.support.listening import KIB, listening, until
from tests.support.raw_http import request
from tests.support.scripted_hosts import ScriptedHosts, redirect
from tests.support.scripted_tokens import ScriptedTokens
from tests.support.scripted_upstream import Reply, refusal

TOKEN = b"Bearer token-1"
SECOND = b"Bearer token-2"
SIGNED = b"https://ssrweb.zoom.us/replay/a.mp4?Expires=9&Signature=s&Key-Pair-Id=k"
CDN = b"/replay/a.mp4?Expires=9&Signature=s&Key-Pair-Id=k"
DOWNLOAD = b"/_hosts/us02web.zoom.us/rec/download/abc"
VIDEO = Reply(200, [(b"Content-Type", b"video/mp4"), (b"Content-Length", b"5")], [b"vi", b"deo"])
PAGE = Reply(200, [(b"Content-Type", b"text/html; charset=utf-8")], [b"<html>passcode</html>"])
FILES = b"/v2/chat/users/me/files"
UPLOAD = b"/_hosts/fileapi.zoom.us" + FILES


async def test_a_recording_is_fetched_where_zoom_keeps_it() -> None:
    """With the token to Zoom's own host, without it to the signed address."""
    cookie = (b"Set-Cookie", b"zm_aid=1; Domain=zoom.us")
    hosts = ScriptedHosts(us02web_zoom_us=redirect(SIGNED, 302, cookie), ssrweb_zoom_us=VIDEO)
    async with listening(elsewhere=hosts.elsewhere()) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request(DOWNLOAD, b"Cookie: a=b", b"Authorization: Bearer x"))
        assert (heard.status, heard.body) == (200, b"video")
        assert not heard.values(b"set-cookie")
        assert not heard.values(b"location")
        assert hosts.visited == [
            ("us02web.zoom.us", "GET", b"/rec/download/abc", TOKEN),
            ("ssrweb.zoom.us", "GET", CDN, b""),
        ]
        assert all(sent.closed for _, sent in hosts.sent)
        assert running.upstream.sent == []
        assert running.tokens.accepted == []  # nothing of that proves that it is valid
        (report,) = await running.reports.get()
        assert (report.route, report.replays, report.outcome) == ("/v2/users/{userId}", 0, None)
        assert report.host == "us02web.zoom.us"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_signed_address_gets_the_token_only_if_it_refuses_without(status: int) -> None:
    refused = Reply(status, [(b"Content-Length", b"0")])
    hosts = ScriptedHosts(us02web_zoom_us=redirect(SIGNED), ssrweb_zoom_us=[refused, VIDEO])
    async with listening(elsewhere=hosts.elsewhere()) as running:
        async with await running.caller() as caller:
            assert (await caller.call(request(DOWNLOAD))).body == b"video"
        assert [token for *_, token in hosts.visited] == [TOKEN, b"", TOKEN]


async def test_a_signed_address_that_is_named_at_once() -> None:
    hosts = ScriptedHosts(ssrweb_zoom_us=VIDEO)
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        assert (await caller.call(request(b"/_hosts/ssrweb.zoom.us" + CDN))).status == 200
        assert hosts.visited == [("ssrweb.zoom.us", "GET", CDN, b"")]


async def test_a_strangers_host_is_asked_without_the_token_and_what_is_for_zoom() -> None:
    hosts = ScriptedHosts(
        us02web_zoom_us=redirect(b"https://b.s3.amazonaws.com/a?X-Amz-Signature=s"),
        b_s3_amazonaws_com=[Reply(403, body=[b"<Error/>"]), Reply(401, body=[b"no"])],
    )
    fields = [b"X-Own: secret", b"Accept: */*", b"Range: bytes=5-", b'If-Range: "x"']
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        for status in (403, 401):
            assert (await caller.call(request(DOWNLOAD, *fields))).status == status
        told = {name.lower() for name, _ in hosts.sent[1][1].headers}
        assert told == {b"host", b"accept", b"range", b"if-range"}
        # Its 401 says nothing of a token that it was not shown.
        assert (running.tokens.refused, running.tokens.accepted) == ([], [])


async def test_a_stranger_does_not_lead_back_with_the_token() -> None:
    hosts = ScriptedHosts(
        us02web_zoom_us=redirect(b"https://evil.example/"),
        evil_example=redirect(b"https://api.zoom.us/v2/users"),
        api_zoom_us=refusal(),
    )
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        assert (await caller.call(request(DOWNLOAD))).status == 401
        assert hosts.visited[1:] == [
            ("evil.example", "GET", b"/", b""),
            ("api.zoom.us", "GET", b"/v2/users", b""),
        ]
        assert running.tokens.refused == []


async def test_a_refusal_is_cured_as_at_the_api() -> None:
    hosts = ScriptedHosts(
        us02web_zoom_us=[refusal(), redirect(SIGNED)],
        ssrweb_zoom_us=VIDEO,
    )
    async with listening(elsewhere=hosts.elsewhere()) as running:
        async with await running.caller() as caller:
            assert (await caller.call(request(DOWNLOAD))).body == b"video"
        assert [token for *_, token in hosts.visited] == [TOKEN, SECOND, b""]
        assert running.tokens.refused == [1]
        (report,) = await running.reports.get()
        assert (report.replays, report.outcome) == (1, ReplayOutcome.RECOVERED)


async def test_a_refusal_where_a_redirect_leads_begins_all_anew() -> None:
    hosts = ScriptedHosts(
        us02web_zoom_us=redirect(b"https://us04web.zoom.us/rec/download/abc"),
        us04web_zoom_us=[refusal(), VIDEO],
    )
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        assert (await caller.call(request(DOWNLOAD))).body == b"video"
        assert [token for *_, token in hosts.visited] == [TOKEN, TOKEN, SECOND, SECOND]


async def test_a_refusal_that_no_token_cures_is_passed_on() -> None:
    hosts = ScriptedHosts(us02web_zoom_us=refusal())
    tokens = ScriptedTokens(supply=1)
    async with listening(tokens=tokens, elsewhere=hosts.elsewhere()) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request(DOWNLOAD))
        assert (heard.status, heard.json()["code"]) == (401, 124)


async def test_what_the_apis_hosts_say_proves_the_token() -> None:
    good = Reply(201, body=[b"{}"])
    hosts = ScriptedHosts(
        fileapi_zoom_us=good, us02web_zoom_us=[VIDEO, Reply(404, body=[b'{"code":3301}'])]
    )
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        for _ in range(2):
            await caller.call(request(DOWNLOAD))
        assert running.tokens.accepted == []
        assert (await caller.call(request(UPLOAD, method=b"POST", body=b"x"))).status == 201
        assert running.tokens.accepted == [1]


# Uploads.


@pytest.mark.parametrize("size", [1, 100 * KIB, 900 * KIB])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("reads", ["all", "some", "none"])
async def test_an_upload_goes_where_zoom_sends_it(size: int, reads: str, *, chunked: bool) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    moved = redirect(b"https://file.zoom.us" + FILES, 307)
    moved.reads = reads
    hosts = ScriptedHosts(fileapi_zoom_us=moved, file_zoom_us=Reply(201, body=[b"{}"]))
    if chunked:
        data = request(UPLOAD, b"Transfer-Encoding: chunked", method=b"POST")
        data += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        data = request(UPLOAD, b"Content-Type: multipart/form-data", method=b"POST", body=body)
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        assert (await caller.call(data)).status == 201
        assert hosts.visited == [
            ("fileapi.zoom.us", "POST", FILES, TOKEN),
            ("file.zoom.us", "POST", FILES, TOKEN),
        ]
        (_, last) = hosts.sent[-1]
        assert bytes(last.body) == body
        assert last.fresh
        assert bool(last.values(b"transfer-encoding")) == chunked


async def test_an_upload_that_was_not_kept_gets_the_redirect() -> None:
    body = b"x" * 300 * KIB
    moved = redirect(b"https://file.zoom.us" + FILES, 307)
    hosts = ScriptedHosts(fileapi_zoom_us=moved)
    async with listening(elsewhere=hosts.elsewhere(), disk_limit=200 * KIB) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request(UPLOAD, method=b"POST", body=body))
        assert (heard.status, heard.body) == (307, b"moved")
        assert heard.one(b"location") == b"https://file.zoom.us" + FILES
        assert len(hosts.sent) == 1


async def test_a_see_other_leaves_the_body_behind() -> None:
    """Also one that was not kept."""
    body = b"x" * 300 * KIB
    done = redirect(b"https://fileapi.zoom.us" + FILES, 303)
    hosts = ScriptedHosts(fileapi_zoom_us=[done, Reply(200, body=[b"{}"])])
    async with listening(elsewhere=hosts.elsewhere(), disk_limit=200 * KIB) as running:
        async with await running.caller() as caller:
            upload = request(UPLOAD, b"Content-Type: a/b", method=b"POST", body=body)
            assert (await caller.call(upload)).status == 200
        assert [method for _, method, *_ in hosts.visited] == ["POST", "GET"]
        names = {name.lower() for name, _ in hosts.sent[1][1].headers}
        assert names == {b"host", b"authorization"}


async def test_an_upload_waits_to_be_told_to_continue() -> None:
    moved = redirect(b"https://file.zoom.us" + FILES, 307)
    hosts = ScriptedHosts(fileapi_zoom_us=moved, file_zoom_us=Reply(201, body=[b"{}"]))
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        head = request(UPLOAD, b"Expect: 100-continue", b"Content-Length: 5", method=b"PUT")
        await caller.send(head)
        assert (await caller.hear_head()).status == 100
        await caller.send(b"video")
        assert (await caller.hear()).status == 201
        assert [bytes(sent.body) for _, sent in hosts.sent] == [b"video", b"video"]


async def test_a_stale_connection_on_the_way_begins_all_anew() -> None:
    stale = Reply(fails=UpstreamStaleError("gone"))
    hosts = ScriptedHosts(
        fileapi_zoom_us=redirect(b"https://file.zoom.us" + FILES, 307),
        file_zoom_us=[stale, Reply(201, body=[b"{}"])],
    )
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        assert (await caller.call(request(UPLOAD, method=b"PUT", body=b"video"))).status == 201
        assert [bytes(sent.body) for _, sent in hosts.sent] == [b"video"] * 4


# What is not followed.


async def test_five_redirects_are_followed_and_a_sixth_is_not() -> None:
    hosts = ScriptedHosts()
    turns = [redirect(b"/rec/%d" % turn) for turn in range(5)]
    hosts = ScriptedHosts(us02web_zoom_us=[*turns, VIDEO])
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        assert (await caller.call(request(DOWNLOAD))).body == b"video"
        assert len(hosts.sent) == 6
    hosts = ScriptedHosts(us02web_zoom_us=redirect(b"/rec/download/abc"))
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        heard = await caller.call(request(DOWNLOAD))
        assert (heard.status, heard.slug) == (502, "too_many_redirects")
        assert len(hosts.sent) == 6
        assert all(sent.closed for _, sent in hosts.sent)


@pytest.mark.parametrize(
    "location", [b"http://us02web.zoom.us/x", b"https://10.0.0.1/", b"https://zoom.us:8443/"]
)
async def test_a_redirect_to_where_nobody_goes(location: bytes) -> None:
    hosts = ScriptedHosts(us02web_zoom_us=redirect(location))
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        heard = await caller.call(request(DOWNLOAD))
        assert (heard.status, heard.slug) == (502, "redirect_refused")
        assert hosts.sent[0][1].closed


async def test_a_redirect_into_the_api_is_the_callers_to_follow() -> None:
    """Rules were asked about what the call named, not about this."""
    hosts = ScriptedHosts(zoom_us=redirect(b"https://api.zoom.us/v2/users"))
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        heard = await caller.call(request(b"/_hosts/zoom.us/go?to=api"))
        assert (heard.status, len(hosts.sent)) == (302, 1)


@pytest.mark.parametrize(
    "host", [b"evil.example", b"notzoom.us", b"zoom.us.evil.example", b"localhost"]
)
async def test_a_strangers_host_is_not_gone_to(host: bytes) -> None:
    hosts = ScriptedHosts()
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        heard = await caller.call(request(b"/_hosts/" + host + b"/rec/x"))
        assert (heard.status, heard.slug) == (403, "host_not_zooms")
        heard = await caller.call(request(b"/_hosts/" + host + b"/oauth/token", method=b"POST"))
        assert (heard.status, heard.slug) == (403, "host_not_zooms")
        assert hosts.sent == []


async def test_a_trusted_host_is_gone_to_with_the_token() -> None:
    hosts = ScriptedHosts()
    elsewhere = hosts.elsewhere("zoom.front.example.zoomgov.com", "*.zoom.us")
    async with listening(elsewhere=elsewhere) as running, await running.caller() as caller:
        target = b"/_hosts/zoom.front.example.zoomgov.com/rec/x"
        assert (await caller.call(request(target))).status == 404
        assert hosts.visited[0][-1] == TOKEN


@pytest.mark.parametrize("host", [b"zoom.us", b"api.zoom.us", b"us02web.zoom.us"])
async def test_tokens_are_asked_of_the_gateway_whatever_the_host(host: bytes) -> None:
    hosts = ScriptedHosts()
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        token = request(b"/_hosts/" + host + b"/oauth/token", method=b"POST", body=b"")
        heard = await caller.call(token)
        assert heard.json()["access_token"] == "zoom-gateway"
        assert heard.json()["api_url"] == "http://gateway.test:8080"
        for hidden in (b"/%6fauth/token", b"//oauth/token", b"/x/../oauth/token"):
            heard = await caller.call(
                request(b"/_hosts/" + host + hidden, method=b"POST", body=b"")
            )
            assert (heard.status, heard.slug) == (404, "oauth_not_forwarded")
        assert hosts.sent == []


# Pages instead of recordings.


@pytest.mark.parametrize("accept", [b"*/*", b"video/mp4", b"application/octet-stream, */*;q=0.1"])
@pytest.mark.parametrize("path", [b"/rec/download/abc", b"/rec/archive/download/x", b"/rec/play/x"])
async def test_a_page_in_a_recordings_place_is_a_502_that_says_so(
    accept: bytes, path: bytes
) -> None:
    hosts = ScriptedHosts(us02web_zoom_us=redirect(b"https://zoom.us/signin"), zoom_us=PAGE)
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        target = b"/_hosts/us02web.zoom.us" + path
        heard = await caller.call(request(target, b"Accept: " + accept))
        assert (heard.status, heard.slug) == (502, "not_a_recording")
        assert "passcode" in heard.json()["message"]
        assert b"<html>" not in heard.body
        head = await caller.call(request(target, method=b"HEAD"), head=True)
        assert head.status == 502
        reports = await running.reports.get(2)
        assert [report.error for report in reports] == ["not_a_recording"] * 2
        assert all(sent.closed for _, sent in hosts.sent)


async def test_a_page_that_was_asked_for_is_passed_on() -> None:
    hosts = ScriptedHosts(us02web_zoom_us=PAGE, zoom_us=PAGE)
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        wanted = request(DOWNLOAD, b"Accept: text/html,application/xhtml+xml,*/*;q=0.8")
        assert (await caller.call(wanted)).status == 200
        assert (await caller.call(request(b"/_hosts/zoom.us/j/1"))).status == 200


async def test_an_error_page_is_passed_on_with_its_status() -> None:
    page = Reply(404, [(b"Content-Type", b"text/html")], [b"<html>gone</html>"])
    hosts = ScriptedHosts(us02web_zoom_us=page)
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        assert (await caller.call(request(DOWNLOAD))).status == 404


async def test_parts_of_a_recording() -> None:
    part = Reply(
        206,
        [(b"Content-Range", b"bytes 3-4/5"), (b"Content-Length", b"2"), (b"ETag", b'"x"')],
        [b"eo"],
        reason="Partial Content",
    )
    hosts = ScriptedHosts(us02web_zoom_us=redirect(SIGNED), ssrweb_zoom_us=part)
    async with listening(elsewhere=hosts.elsewhere()) as running, await running.caller() as caller:
        heard = await caller.call(request(DOWNLOAD, b"Range: bytes=3-", b'If-Range: "x"'))
        assert (heard.status, heard.body, heard.one(b"content-range")) == (
            206,
            b"eo",
            b"bytes 3-4/5",
        )
        for _, sent in hosts.sent:
            assert (sent.values(b"range"), sent.values(b"if-range")) == ([b"bytes=3-"], [b'"x"'])


async def test_a_caller_that_goes_away_on_the_way_ends_the_call() -> None:
    never = asyncio.Event()
    waiting = Reply(waits=never)
    hosts = ScriptedHosts(us02web_zoom_us=redirect(SIGNED), ssrweb_zoom_us=waiting)
    async with listening(elsewhere=hosts.elsewhere()) as running:
        async with await running.caller() as caller:
            await caller.send(request(DOWNLOAD))
            await until(lambda: len(hosts.sent) == 2)
        await until(lambda: hosts.at("ssrweb.zoom.us").cancelled == 1)
        assert hosts.sent[0][1].closed


async def test_each_of_a_hosts_paths_is_one_endpoint_for_the_token_manager() -> None:
    """Else each recording that refuses would be tried with a token of its own."""
    hosts = ScriptedHosts(us02web_zoom_us=VIDEO)
    elsewhere = hosts.elsewhere()
    async with listening(elsewhere=elsewhere, has_template=False) as running:
        async with await running.caller() as caller:
            for number in range(3):
                await caller.call(request(DOWNLOAD + b"%d" % number))
        assert len({endpoint.key for endpoint in running.tokens.endpoints}) == 1
        assert {endpoint.route for endpoint in running.tokens.endpoints} == {"other"}
