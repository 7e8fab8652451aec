"""Keys and rules, as callers meet them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.core.caller_match import CallerMatch, network
from gateway.core.keys import AUTHORIZATION, DEFAULT_FIELD, Keys
from gateway.core.policy import Policy, Rule
from gateway.core.secret import Secret
from gateway.settings import load_operations
from gateway.web.access import Access
from gateway.web.accounts import AccountContext
from tests.support.listening import Listening, listening
from tests.support.raw_http import Heard, request
from tests.support.scripted_tokens import ScriptedTokens
from tests.support.scripted_upstream import Reply, ScriptedUpstream

KEY = "k" * 24
SHOWN = b"X-Zoom-Gateway-Key: " + KEY.encode()
KEYS = Keys({"reports": Secret(KEY)})
REPORTS = CallerMatch(keys=frozenset({"reports"}))
NEAR = CallerMatch(networks=(network("127.0.0.0/8"),))
FAR = CallerMatch(networks=(network("192.0.2.0/24"),))


def access(*rules: Rule, allow: bool = False, header: bytes = DEFAULT_FIELD) -> Access:
    made = Policy(rules, default_allows=allow, operations=load_operations())
    return Access(made, lambda: KEYS, header)


@asynccontextmanager
async def guarded(
    *rules: Rule, allow: bool = False, header: bytes = DEFAULT_FIELD, has_default: bool = True
) -> AsyncIterator[Listening]:
    eu = AccountContext("eu", ScriptedTokens(), "acc-eu", lambda: "user:read")
    us = AccountContext("us", ScriptedTokens(), "acc-us", lambda: "user:read")
    made = access(*rules, allow=allow, header=header)
    async with listening(
        ScriptedUpstream(Reply(body=[b"{}"])),
        accounts=[eu, us],
        has_default=has_default,
        access=made,
    ) as running:
        yield running


async def call(running: Listening, data: bytes) -> Heard:
    async with await running.caller() as caller:
        return await caller.call(data)


async def test_a_refused_caller_is_told_what_to_do_and_nothing_of_the_rules() -> None:
    rule = Rule("no-deletions", allows=False, operations=("userDelete",))
    async with guarded(rule, allow=True) as running:
        heard = await call(running, request(b"/v2/users/me?secret=1", method=b"DELETE"))
        assert (heard.status, heard.slug) == (403, "not_allowed")
        message = heard.json()["message"]
        assert "X-Request-Id" in message
        assert "no-deletions" not in message
        assert heard.one(b"x-request-id")
        assert running.upstream.sent == []
        (report,) = await running.reports.get()
        assert (report.denied, report.rule, report.error) == ("rule", "no-deletions", "not_allowed")
        assert (report.account, report.method, report.status) == ("default", "DELETE", 403)
        assert (await call(running, request())).status == 200


async def test_the_connection_goes_on_after_a_refusal() -> None:
    async with guarded(Rule("users", operations=("user",))) as running:
        async with await running.caller() as caller:
            refused = await caller.call(request(b"/v2/phone/users", method=b"POST", body=b"x" * 99))
            assert refused.status == 403
            assert (await caller.call(request())).status == 200
        first, second = await running.reports.get(2)
        assert (first.denied, first.rule) == ("default", "default")
        assert (second.denied, second.rule) == ("", "")


@pytest.mark.parametrize(("callers", "status"), [(NEAR, 200), (FAR, 403), (REPORTS, 403)])
async def test_callers_by_network(callers: CallerMatch, status: int) -> None:
    async with guarded(Rule("near", callers=callers)) as running:
        assert (await call(running, request())).status == status


async def test_an_account_is_chosen_before_the_rules_are_asked() -> None:
    async with guarded(Rule("eu", accounts=frozenset({"eu"}))) as running:
        assert (await call(running, request(b"/@eu/v2/users/me"))).status == 200
        assert (await call(running, request(b"/v2/users/me", b"X-Zoom-Account: eu"))).status == 200
        assert (await call(running, request(b"/@us/v2/users/me"))).status == 403
        assert (await call(running, request())).status == 403


async def test_a_key_is_shown_in_its_field_and_goes_no_further() -> None:
    async with guarded(Rule("reports", callers=REPORTS)) as running:
        assert (await call(running, request(b"/v2/users/me", SHOWN))).status == 200
        assert (await call(running, request())).slug == "not_allowed"
        (sent,) = running.upstream.sent
        assert KEY.encode() not in b"".join(value for _, value in sent.headers)
        assert sent.values(b"x-zoom-gateway-key") == []
        assert KEY not in str(running.reports.ended)


@pytest.mark.parametrize(
    "fields",
    [
        (b"X-Zoom-Gateway-Key: " + b"x" * 24,),
        (b"X-Zoom-Gateway-Key: ",),
        (SHOWN, SHOWN),
        (SHOWN, b"x-zoom-gateway-KEY: other"),
    ],
)
async def test_a_wrong_key_is_refused_whatever_the_rules_say(fields: tuple[bytes, ...]) -> None:
    async with guarded(allow=True) as running:
        heard = await call(running, request(b"/v2/users/me", *fields))
        assert (heard.status, heard.slug) == (403, "not_allowed")
        assert "key" in heard.json()["message"]
        (report,) = await running.reports.get()
        assert (report.denied, report.rule) == ("key", "")


async def test_a_key_as_a_bearer_token() -> None:
    rules = [Rule("reports", callers=REPORTS)]
    async with guarded(*rules, header=AUTHORIZATION) as running:
        shown = b"Authorization: Bearer " + KEY.encode()
        assert (await call(running, request(b"/v2/users/me", shown))).status == 200
        assert running.upstream.sent[0].token == b"Bearer token-1"
        # The usual field shows nothing then, and still does not go on.
        assert (await call(running, request(b"/v2/users/me", SHOWN))).status == 403
        placeholder = b"Authorization: Bearer zoom-gateway"
        assert (await call(running, request(b"/v2/users/me", placeholder))).status == 403
        reports = await running.reports.get(3)
        assert [one.denied for one in reports] == ["", "default", "default"]


async def test_a_field_of_ones_own_for_keys_never_goes_to_zoom() -> None:
    made = Access(None, lambda: Keys({}), b"x-team")
    async with listening(access=made) as running:
        assert (await call(running, request(b"/v2/users/me", SHOWN, b"X-Team: a"))).status == 200
        (sent,) = running.upstream.sent
        assert sent.values(b"x-team") == sent.values(b"x-zoom-gateway-key") == []


async def test_without_keys_and_rules_the_field_is_dropped_and_means_nothing() -> None:
    async with listening() as running:
        assert (await call(running, request(b"/v2/users/me", SHOWN))).status == 200
        (sent,) = running.upstream.sent
        assert sent.values(b"x-zoom-gateway-key") == []


@pytest.mark.parametrize(
    "field",
    [
        b"X-HTTP-Method-Override: DELETE",
        b"x-original-url: /v2/phone",
        b"X-Method-Override: A",
        b"X_HTTP_Method-Override: DELETE",
    ],
)
async def test_what_makes_another_call_of_it_is_refused_under_rules(field: bytes) -> None:
    async with guarded(Rule("users", operations=("/v2/users/**",))) as running:
        heard = await call(running, request(b"/v2/users/me", field, method=b"POST"))
        assert (heard.status, heard.slug) == (403, "not_allowed")
        assert (await running.reports.get())[0].denied == "rule"
    async with listening() as running:
        assert (await call(running, request(b"/v2/users/me", field))).status == 200


@pytest.mark.parametrize(
    "query",
    [
        *(b"_method=DELETE", b"a=b&_METHOD=delete", b"%5Fmethod=PUT", b"a;_%6dethod=PUT"),
        *(b".method=PUT", b"%20_method=PUT", b"+_method=PUT", b"a&[method=PUT", b"_method%00=PUT"),
    ],
)
async def test_a_method_in_the_query_is_refused_under_rules(query: bytes) -> None:
    async with guarded(Rule("users", operations=("/v2/users/**",))) as running:
        heard = await call(running, request(b"/v2/users/me?" + query, method=b"POST"))
        assert (heard.status, heard.slug) == (403, "not_allowed")
        assert "_method" in heard.json()["message"]
        for honest in (b"payment_method=x", b"q=_method", b"_methods=1"):
            heard = await call(running, request(b"/v2/users/me?" + honest, method=b"POST"))
            assert heard.status == 200
    async with listening() as running:
        assert (await call(running, request(b"/v2/users/me?" + query))).status == 200


TOKEN = request(b"/oauth/token?grant_type=account_credentials", method=b"POST", body=b"")


@pytest.mark.parametrize(
    ("rule", "allow", "status"),
    [
        (Rule("near", callers=NEAR, operations=("user",)), False, 200),
        (Rule("far", callers=FAR), False, 403),
        (Rule("near", allows=False, callers=NEAR, operations=("user",)), True, 200),
        (Rule("near", allows=False, callers=NEAR), True, 403),
        (Rule("eu", accounts=frozenset({"eu"})), False, 403),
    ],
)
async def test_the_token_endpoint_answers_who_may_call_anything(
    rule: Rule,
    allow: bool,  # noqa: FBT001
    status: int,
) -> None:
    async with guarded(rule, allow=allow) as running:
        heard = await call(running, TOKEN)
        assert heard.status == status
        if status == 200:
            assert heard.json()["access_token"] == "zoom-gateway"
        else:
            assert heard.slug == "not_allowed"


async def test_the_token_endpoint_where_the_body_picks_the_account() -> None:
    async with guarded(Rule("eu", accounts=frozenset({"eu"})), has_default=False) as running:
        body = b"grant_type=account_credentials&account_id=acc-eu"
        heard = await call(running, request(b"/oauth/token", method=b"POST", body=body))
        assert heard.json()["access_token"] == "zoom-gateway.eu"
    async with guarded(has_default=False) as running:
        heard = await call(running, request(b"/oauth/token", method=b"POST", body=b""))
        assert heard.slug == "not_allowed"


async def test_the_account_that_the_body_picks_counts_beside_a_default_one() -> None:
    async with guarded(Rule("eu", accounts=frozenset({"eu"}))) as running:
        for picked, status in ((b"acc-eu", 200), (b"acc-us", 403), (b"", 403)):
            body = b"grant_type=account_credentials&account_id=" + picked
            heard = await call(running, request(b"/oauth/token", method=b"POST", body=body))
            assert heard.status == status, picked
            report = running.reports.ended[-1]
            assert (report.denied, report.rule) == (("", "") if status == 200 else ("default",) * 2)


async def test_spellings_of_the_token_endpoint_are_still_not_forwarded() -> None:
    async with guarded(allow=True) as running:
        heard = await call(running, request(b"/oauth/%74oken", method=b"POST", body=b""))
        assert heard.slug == "oauth_not_forwarded"


async def test_rules_are_no_less_strict_at_zooms_other_hosts() -> None:
    users = Rule("users", operations=("user",))
    recordings = Rule("recordings", operations=("/_hosts/us02web.zoom.us/rec/**",))
    async with guarded(users, recordings) as running, await running.caller() as caller:
        for target, status in (
            (b"/v2/users/me", 200),
            (b"/_hosts/api.zoom.us/v2/users/me", 200),
            (b"/_hosts/api-eu.zoom.us/v2/users/me", 200),
            (b"/@eu/_hosts/api-eu.zoom.us/v2/users/me", 200),
            (b"/_hosts/api.zoom.us/v2/phone/users", 403),
            (b"/_hosts/API.zoom.us/v2/phone/users", 403),
            (b"/_hosts/zoom.us/v2/users/me", 403),
            (b"/_hosts/us02web.zoom.us/v2/users/me", 403),
            (b"/_hosts/us02web.zoom.us/rec/download/x", 200),
            (b"/_hosts/us02web.zoom.us/rec/../v2/phone/users", 403),
            (b"/_hosts/us03web.zoom.us/rec/download/x", 403),
            (b"/_hosts/us02web.zoom.us/rec/download/x?_method=DELETE", 403),
            (b"/v2/users/me", 200),
        ):
            for _ in range(3):  # what is known of a header is no reason to ask less
                assert (await caller.call(request(target, b"Accept: */*"))).status == status, target
