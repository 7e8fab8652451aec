"""The emulated token endpoint, for callers who get the real token."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.core.caller_match import CallerMatch, network
from gateway.core.errors import TokenUnavailableError
from gateway.core.keys import DEFAULT_FIELD, Keys
from gateway.core.policy import Policy, Rule
from gateway.core.secret import Secret
from gateway.core.token_rights import TokenRights
from gateway.ports import Loan
from gateway.settings import load_operations
from gateway.web.access import Access
from gateway.web.accounts import AccountContext
from tests.support.listening import Listening, listening
from tests.support.raw_http import Heard, request
from tests.support.scripted_tokens import ScriptedTokens, token

KEY, OTHER = "k" * 24, "o" * 24
KEYS = Keys({"robot": Secret(KEY), "people": Secret(OTHER)})
ROBOT = CallerMatch(keys=frozenset({"robot"}))
SHOWN = b"X-Zoom-Gateway-Key: " + KEY.encode()
REAL = Rule("robots", callers=ROBOT, accounts=frozenset({"eu", "us"}), real_token=True)
BODY = b"grant_type=account_credentials&account_id=acc-eu"


class Lender:
    """Lends one token, or fails."""

    def __init__(self) -> None:
        self.loan = Loan(replace(token(7), scope="user:read"), 1234.9)
        self.fault: TokenUnavailableError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Loan:
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return self.loan


@asynccontextmanager
async def lending(
    *rules: Rule, allow: bool = True, on: bool = True, has_default: bool = True
) -> AsyncIterator[tuple[Listening, Lender]]:
    lender = Lender()
    eu = AccountContext("eu", ScriptedTokens(), "acc-eu", lambda: "user:read", lend=lender)
    asia = AccountContext("asia", ScriptedTokens(), "acc-asia", lambda: "user:read", lend=lender)
    calls = [one for one in rules if not one.real_token]
    policy = Policy(calls, default_allows=allow, operations=load_operations())
    access = Access(policy, lambda: KEYS, DEFAULT_FIELD, tokens=TokenRights(rules) if on else None)
    async with listening(accounts=[eu, asia], access=access, has_default=has_default) as running:
        yield running, lender


async def ask(running: Listening, *fields: bytes, body: bytes = BODY) -> Heard:
    async with await running.caller() as caller:
        return await caller.call(request(b"/oauth/token", *fields, method=b"POST", body=body))


async def test_whom_a_rule_names_gets_the_real_token() -> None:
    async with lending(REAL) as (running, lender):
        heard = await ask(running, SHOWN)
        assert heard.status == 200
        assert heard.json() == {
            "access_token": "token-7",
            "token_type": "bearer",
            "expires_in": 1234,
            "scope": "user:read",
            "api_url": "https://api.zoom.test",
        }
        assert heard.one(b"cache-control") == b"no-store"
        named = replace(lender.loan.token, api_url="https://api-eu.zoom.us")
        lender.loan = Loan(named, 0.4)
        document = (await ask(running, SHOWN)).json()
        assert document["api_url"] == "https://api-eu.zoom.us"
        assert document["expires_in"] == 1
        report = (await running.reports.get(2))[0]
        assert (report.lent, report.rule) == (("eu", 7), "robots")
        assert "token-7" not in repr(report)


async def test_everybody_else_gets_the_placeholder() -> None:
    async with lending(REAL) as (running, _):
        for fields, body in (
            ((), BODY),
            ((b"X-Zoom-Gateway-Key: " + OTHER.encode(),), BODY),
            ((SHOWN,), b"account_id=acc-asia"),  # an account that the rule does not name
            ((SHOWN,), b""),
        ):
            heard = await ask(running, *fields, body=body)
            assert heard.status == 200
            assert heard.json()["access_token"].startswith("zoom-gateway")
        assert [one.lent for one in await running.reports.get(4)] == [None] * 4


async def test_a_key_that_is_none_gets_nothing() -> None:
    async with lending(REAL) as (running, _):
        heard = await ask(running, b"X-Zoom-Gateway-Key: " + b"x" * 24)
        assert (heard.status, heard.slug) == (403, "not_allowed")
        heard = await ask(running, SHOWN, SHOWN)
        assert (heard.status, heard.slug) == (403, "not_allowed")


async def test_off_is_off_whatever_the_rules_say() -> None:
    async with lending(REAL, on=False) as (running, _):
        assert (await ask(running, SHOWN)).json()["access_token"] == "zoom-gateway.eu"


async def test_who_may_call_nothing_gets_it_where_a_rule_says_so() -> None:
    async with lending(REAL, allow=False) as (running, _):
        assert (await ask(running, SHOWN)).json()["access_token"] == "token-7"
        for fields, body in (((), BODY), ((SHOWN,), b"account_id=acc-asia")):
            heard = await ask(running, *fields, body=body)
            assert (heard.status, heard.slug) == (403, "not_allowed")
        async with await running.caller() as caller:
            heard = await caller.call(request(b"/v2/users", SHOWN))
            assert (heard.status, heard.slug) == (403, "not_allowed")
    assert running.upstream.sent == []


async def test_without_a_default_account_too() -> None:
    async with lending(REAL, allow=False, has_default=False) as (running, _):
        assert (await ask(running, SHOWN)).json()["access_token"] == "token-7"
        heard = await ask(running, SHOWN, body=b"account_id=acc-asia")
        assert (heard.status, heard.slug) == (403, "not_allowed")


async def test_who_is_denied_everything_gets_nothing() -> None:
    near = CallerMatch(networks=(network("127.0.0.0/8"),))
    async with lending(Rule("no", allows=False, callers=near), REAL) as (running, _):
        heard = await ask(running, SHOWN)
        assert (heard.status, heard.slug) == (403, "not_allowed")


async def test_without_a_token_the_caller_is_told_when_to_come_back() -> None:
    async with lending(REAL) as (running, lender):
        lender.fault = TokenUnavailableError("There is no token.", retry_after=7)
        heard = await ask(running, SHOWN)
        assert (heard.status, heard.slug) == (503, "token_unavailable")
        assert heard.one(b"retry-after") == b"7"
        assert [one.lent for one in await running.reports.get(1)] == [None]


async def test_the_gateway_does_not_forward_it() -> None:
    async with lending(REAL) as (running, _):
        async with await running.caller() as caller:
            bearer = b"Authorization: Bearer token-7"
            heard = await caller.call(request(b"/@eu/v2/users", bearer, SHOWN))
            assert heard.status == 200
        (sent,) = running.upstream.sent
        assert b"token-7" not in b"".join(value for _, value in sent.headers)
