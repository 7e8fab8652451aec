"""A header that comes again is not read again; nothing else may come of that."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.caller_match import CallerMatch
from gateway.core.headers import read_caller
from gateway.core.keys import DEFAULT_FIELD, Keys
from gateway.core.limits import Limits
from gateway.core.policy import Policy, Rule
from gateway.core.secret import Secret
from gateway.settings import load_operations
from gateway.web import proxy
from gateway.web.access import Access
from gateway.web.repeats import KnownHeader, Repeats
from tests.support.listening import Listening, listening
from tests.support.raw_http import Caller, Heard, request

FIELDS = (b"Accept: */*", b"User-Agent: reports/7")
USUAL = request(b"/v2/users/me", *FIELDS)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each header that is read, field by field: how many fields it has."""
    seen: list[int] = []

    def reading(raw: tuple[tuple[bytes, bytes], ...], *rest: object) -> object:
        seen.append(len(raw))
        return read_caller(raw, *rest)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(proxy, "read_caller", reading)
    return seen


def heard(one: Heard) -> tuple[object, ...]:
    fields = [field for field in one.headers if field[0].lower() != b"x-request-id"]
    body = one.body if one.status == 200 else one.json()["code"]
    return one.status, sorted(fields), body, one.complete


def sent(running: Listening) -> list[tuple[object, ...]]:
    return [(one.method, one.target, one.headers, bytes(one.body)) for one in running.upstream.sent]


async def test_a_header_is_read_twice_and_then_known(read: list[int]) -> None:
    async with listening() as running, await running.caller() as caller:
        for number in range(20):
            target = b"/v2/users/%d?page=%d" % (number, number)
            assert (await caller.call(request(target, *FIELDS))).status == 200
        assert len(read) == 2
        assert [one.target for one in running.upstream.sent][-1] == b"/v2/users/19?page=19"
        assert len({tuple(one.headers) for one in running.upstream.sent}) == 1
        ids = {report.request_id for report in await running.reports.get(20)}
        assert len(ids) == 20


CHUNKED = (
    request(b"/v2/c", b"Transfer-Encoding: chunked", *FIELDS, method=b"POST")
    + b"2\r\nab\r\n0\r\n\r\n"
)

CALLS = [
    *[USUAL] * 30,
    request(b"/v2/users/you?x=%0d%0aA:b", *FIELDS),
    request(b"/v2/users/me", *FIELDS, method=b"DELETE"),
    request(b"/v2/users/me", *FIELDS, method=b"POST"),
    request(b"/v2/users/me", *FIELDS, method=b"POST", body=b"\r\n\r\n"),
    request(b"/v2/users/me", *FIELDS, body=b"abc"),
    request(b"/v2/users/me", *FIELDS, body=b""),
    request(b"/v2/users/me", b"Accept: */*", b"User-Agent: reports/8"),
    request(b"/v2/users/me", b"Accept: */*", b"User-Agent: reports/7 "),
    request(b"/v2/users/\xc3\xa9", *FIELDS),
    request(b"/v2/users/a|b", *FIELDS),
    request(b"http://gateway.test:8080/v2/users/me", *FIELDS),
    request(b"/v2/users/me", *FIELDS, version=b"1.0") + b"",
    request(b"/@nobody/v2/users/me", *FIELDS),
    request(b"/v2/users/me", *FIELDS, b"X-Zoom-Account: nobody"),
    request(b"/v2/users/me", *FIELDS, b"Origin: https://elsewhere.test"),
    request(b"/v2/users/me", *FIELDS, b"Expect: 100-continue"),
    CHUNKED,
    b"\r\n" + USUAL,
]


@pytest.mark.parametrize("seed", range(4))
async def test_what_comes_between_changes_nothing(seed: int) -> None:
    """Each call ends as it would on a connection of its own, and goes on the same."""
    chance = random.Random(seed)
    calls = [chance.choice(CALLS) for _ in range(150)]
    async with listening() as one, listening() as other:
        caller = await one.caller()
        for data in calls:
            if caller.reader.at_eof():
                caller = await fresh(one, caller)
            again = await caller.call(data)
            async with await other.caller() as alone:
                assert heard(again) == heard(await alone.call(data)), data
            if b"close" in again.values(b"connection"):
                caller = await fresh(one, caller)
        await caller.__aexit__(None, None, None)
        assert sent(one) == sent(other)


async def fresh(running: Listening, caller: Caller) -> Caller:
    await caller.__aexit__(None, None, None)
    return await running.caller()


async def test_bytes_in_any_pieces_and_calls_ahead() -> None:
    async with listening() as running, await running.caller() as caller:
        for _ in range(3):
            assert (await caller.call(USUAL)).status == 200
        await caller.send(USUAL[:30])
        await asyncio.sleep(0)
        await caller.send(USUAL[30:] + USUAL + USUAL)
        for _ in range(3):
            assert (await caller.hear()).status == 200
        await caller.send(USUAL)
        await caller.send(USUAL)
        assert (await caller.hear()).status == (await caller.hear()).status == 200
        assert len(set(map(str, sent(running)))) == 1
        assert len(running.upstream.sent) == 8


async def test_who_numbers_calls_is_not_remembered_for_ever(read: list[int]) -> None:
    async with listening() as running, await running.caller() as caller:
        for number in range(40):
            numbered = b"X-Request-Id: %d" % number
            assert (await caller.call(request(b"/v2/users/me", numbered))).status == 200
        assert len(read) == 40
        ids = [report.request_id for report in await running.reports.get(40)]
        assert ids == [str(number) for number in range(40)]
        (connection,) = running.connections
        assert connection._repeats.known is None


def guarding(keys: list[Keys], *rules: Rule) -> Access:
    policy = Policy(rules, default_allows=False, operations=load_operations())
    return Access(policy, lambda: keys[0], DEFAULT_FIELD)


REPORTS = CallerMatch(keys=frozenset({"reports"}))


async def test_a_key_that_is_taken_away_is_refused_though_its_header_is_known() -> None:
    """And one that comes back, under another name, is what it is then."""
    shown = "k" * 24
    keys = [Keys({"reports": Secret(shown)})]
    rule = Rule("reports", callers=REPORTS)
    data = request(b"/v2/users/me", f"X-Zoom-Gateway-Key: {shown}".encode())
    async with listening(access=guarding(keys, rule)) as running, await running.caller() as caller:
        for _ in range(4):
            assert (await caller.call(data)).status == 200
        keys[0] = Keys({"reports": Secret("n" * 24)})
        assert (await caller.call(data)).slug == "not_allowed"
        keys[0] = Keys({"others": Secret(shown)})
        assert (await caller.call(data)).slug == "not_allowed"
        keys[0] = Keys({"reports": Secret(shown)})
        assert (await caller.call(data)).status == 200
        reports = await running.reports.get(7)
        assert [one.denied for one in reports] == ["", "", "", "", "key", "default", ""]


async def test_rules_are_asked_about_each_target() -> None:
    keys = [Keys({})]
    rule = Rule("users", operations=("user",))
    async with listening(access=guarding(keys, rule)) as running, await running.caller() as caller:
        for _ in range(4):
            assert (await caller.call(USUAL)).status == 200
        denied = request(b"/v2/phone/users", *FIELDS)
        assert (await caller.call(denied)).slug == "not_allowed"
        assert (await caller.call(USUAL)).status == 200
        overridden = request(b"/v2/users/me?_method=DELETE", *FIELDS)
        assert (await caller.call(overridden)).slug == "not_allowed"
        assert (await caller.call(denied)).slug == "not_allowed"
        assert (await caller.call(request(b"/v2/users/me?a=1", *FIELDS))).status == 200


async def test_accounts_are_chosen_by_the_path_of_each_call() -> None:
    keys = [Keys({})]
    rule = Rule("default", accounts=frozenset({"default"}))
    async with listening(access=guarding(keys, rule)) as running, await running.caller() as caller:
        for _ in range(4):
            assert (await caller.call(USUAL)).status == 200
        assert (await caller.call(request(b"/@eu/v2/users/me", *FIELDS))).status == 404


async def test_another_handler_reads_the_header_anew(read: list[int]) -> None:
    """As after a reload that changes the limits."""
    async with listening() as running, await running.caller() as caller:
        for _ in range(4):
            assert (await caller.call(USUAL)).status == 200
        async with listening(limits=Limits(header_bytes=1024)) as other:
            (connection,) = running.connections
            connection._calls = other.proxy
            assert (await caller.call(USUAL)).status == 200
            assert (await caller.call(USUAL)).status == 200
            assert len(read) == 3
            assert len(other.upstream.sent) == 2
            connection._calls = running.proxy


async def test_tokens_change_under_a_known_header() -> None:
    async with listening() as running, await running.caller() as caller:
        for number in range(1, 5):
            running.tokens.current = number
            assert (await caller.call(USUAL)).status == 200
        assert [one.token for one in running.upstream.sent] == [
            b"Bearer token-%d" % number for number in range(1, 5)
        ]


@given(st.binary(max_size=80), st.integers(0, 80), st.integers(1, 200))
def test_only_the_known_header_is_known(noise: bytes, cut: int, at: int) -> None:
    repeats = Repeats()
    block = USUAL[USUAL.find(b"\r\n") :]
    repeats.known = known = KnownHeader(block, (), keep_alive=True)
    assert repeats.first_line(USUAL) == ("GET", b"/v2/users/me")
    for changed in (
        USUAL[:at] + noise + USUAL[at:],
        USUAL[:at] + noise + USUAL[at + len(noise) :],
        USUAL[cut:],
        USUAL + noise,
    ):
        line = repeats.first_line(changed)
        if line is not None:
            method, target = line
            assert changed == b"%b %b HTTP/1.1%b" % (method.encode(), target, known.block)
            assert b" " not in target
            assert target.isascii()
            assert target.decode().isprintable()
