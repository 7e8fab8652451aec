"""A header that comes again is not read again; nothing else may come of that."""

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.caller_match import CallerMatch
from gateway.core.headers import read_caller
from gateway.core.keys import DEFAULT_FIELD, Keys
from gateway.core.limits import Limits
from gateway.core.policy import Policy, Rule
from gateway.core.secret import Secret
from gateway.core.trace import foreign
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
    *[request(b"/v2/users/me", *FIELDS, b"X-Request-Id: call-%d" % number) for number in range(9)],
    request(b"/v2/users/me", *FIELDS, b"X-Request-Id: two words"),
    request(b"/v2/users/me", *FIELDS, b"X-Request-Id: "),
    request(b"/v2/users/me", *FIELDS, b"X-Request-Id: \x00"),
    request(b"/v2/users/me", *FIELDS, b"X-Request-Id: " + b"a" * 300),
    request(b"/v2/users/me", *FIELDS, b"X-Request-Id: caf\xc3\xa9"),
    request(b"/v2/users/me", *FIELDS, b"X-Request-Id: a\tb"),
    request(b"/v2/users/me", *FIELDS, b"X-Request-Id: a\nConnection: close"),
    request(b"/v2/users/me", *FIELDS, b"X-Request-Id: a", b"Connection: X-Request-Id"),
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


NUMBERED = tuple(b"%d" % number for number in range(1, 41))


async def test_who_numbers_calls_is_known_all_the_same(read: list[int]) -> None:
    async with listening() as running, await running.caller() as caller:
        for number in NUMBERED:
            fields = b"X-Request-Id: id-" + number, b"Accept: */*", b"X-My-Call: " + number
            path = b"/v2/users/" + (b"me" if number < b"3" else number)
            answer = await caller.call(request(path, *fields))
            assert answer.status == 200
            assert answer.values(b"x-request-id") == [b"id-" + number]
        assert len(read) == 3
        reports = await running.reports.get(40)
        assert [one.request_id for one in reports] == [f"id-{n.decode()}" for n in NUMBERED]
        for number, one in zip(NUMBERED, running.upstream.sent, strict=True):
            assert (b"X-Request-Id", b"id-" + number) in one.headers
            assert (b"X-My-Call", number) in one.headers
            assert len(one.headers) == len(running.upstream.sent[0].headers)


async def test_traces_differ_under_a_known_header(read: list[int]) -> None:
    async with (
        listening(trace_of=lambda headers, _: foreign(headers)) as running,
        await running.caller() as caller,
    ):
        for number in range(1, 10):
            parent = b"traceparent: 00-%032x-%016x-01" % (number, number)
            assert (await caller.call(request(b"/v2/users/me", parent))).status == 200
        assert len(read) == 3
        traces = [one.trace for one in await running.reports.get(9)]
        assert [one.context.trace_id for one in traces if one] == [
            f"{n:032x}" for n in range(1, 10)
        ]
        assert not any(
            name.lower() == b"traceparent"
            for one in running.upstream.sent
            for name, _ in one.headers
        )


@pytest.mark.parametrize(
    "changing",
    [
        lambda n: [b"X-A: %d" % n, *[b"X-B: 1"] * n],
        lambda n: [b"X-A: %d" % n, b"X-A: %d" % n],
        lambda n: [b"X-A:  %d" % n],
        lambda n: [b"Cookie: a=%d" % n],
        lambda n: [b"X-Forwarded-For: 127.0.0.%d" % n],
        lambda n: [b"X-%d: %d" % (n, n)],
        lambda n: [b"X-%c: %d" % (letter, n) for letter in b"abcde"],
    ],
)
async def test_who_changes_other_things_is_not_remembered_for_ever(
    read: list[int], changing: Callable[[int], list[bytes]]
) -> None:
    async with listening() as running, await running.caller() as caller:
        for number in range(40):
            assert (await caller.call(request(b"/v2/users/me", *changing(number)))).status == 200
        assert len(read) == 40
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


async def test_a_key_in_a_field_that_could_number_calls_is_looked_at_each_time() -> None:
    keys = [Keys({"reports": Secret("r" * 20)})]
    policy = Policy(
        [Rule("reports", callers=REPORTS)], default_allows=False, operations=load_operations()
    )
    access = Access(policy, lambda: keys[0], b"x-my-call")
    async with listening(access=access) as running, await running.caller() as caller:
        for number in range(12):
            shown = b"r" * 20 if number % 3 else b"r" * 19 + b"x"
            answer = await caller.call(request(b"/v2/users/me", b"X-My-Call: " + shown))
            assert answer.status == (200 if number % 3 else 403)


async def test_a_header_that_may_be_too_long_is_measured_each_time() -> None:
    # Between what the first ones have, and what 256 bytes more would be.
    limits = Limits(header_bytes=250)
    async with listening(limits=limits) as running, await running.caller() as caller:
        for number in range(8):
            own = b"X-My-Call: " + b"a" * (number + 1)
            assert (await caller.call(request(b"/v2/users/me", own))).status == 200
        own = b"X-My-Call: " + b"a" * 240
        assert (await caller.call(request(b"/v2/users/me", own))).status == 431


async def test_tokens_change_under_a_known_header() -> None:
    async with listening() as running, await running.caller() as caller:
        for number in range(1, 5):
            running.tokens.current = number
            assert (await caller.call(USUAL)).status == 200
        assert [one.token for one in running.upstream.sent] == [
            b"Bearer token-%d" % number for number in range(1, 5)
        ]


IDS = [request(b"/v2/users/me", *FIELDS, b"X-Request-Id: call-%d" % number) for number in range(9)]


@given(st.binary(max_size=80), st.integers(0, 80), st.integers(1, 200))
def test_only_a_value_that_is_one_differs(noise: bytes, cut: int, at: int) -> None:
    repeats = Repeats()
    first, second, *_ = (one[one.find(b"\r\n") :] for one in IDS)
    fields = [tuple(line.split(b": ", 1)) for line in first.split(b"\r\n")[1:-2]]
    others = [tuple(line.split(b": ", 1)) for line in second.split(b"\r\n")[1:-2]]
    repeats.known = known = KnownHeader(first, tuple(fields), keep_alive=True)  # type: ignore[arg-type]  # pairs
    assert known.loosen(second, tuple(others))  # type: ignore[arg-type]  # pairs
    usual = IDS[5]
    assert repeats.first_line(usual) == ("GET", b"/v2/users/me", (b"call-5",))
    for changed in (
        usual[:at] + noise + usual[at:],
        usual[:at] + noise + usual[at + len(noise) :],
        usual[cut:],
        usual + noise,
    ):
        line = repeats.first_line(changed)
        if line is not None:
            method, target, (value,) = line
            block = first.replace(b"call-0", value)
            assert changed == b"%b %b HTTP/1.1%b" % (method.encode(), target, block)
            assert value.isascii()
            assert value.decode().isprintable()
            assert value == value.strip()


@given(st.binary(max_size=80), st.integers(0, 80), st.integers(1, 200))
def test_only_the_known_header_is_known(noise: bytes, cut: int, at: int) -> None:
    repeats = Repeats()
    block = USUAL[USUAL.find(b"\r\n") :]
    repeats.known = KnownHeader(block, (), keep_alive=True)
    assert repeats.first_line(USUAL) == ("GET", b"/v2/users/me", ())
    for changed in (
        USUAL[:at] + noise + USUAL[at:],
        USUAL[:at] + noise + USUAL[at + len(noise) :],
        USUAL[cut:],
        USUAL + noise,
    ):
        line = repeats.first_line(changed)
        if line is not None:
            method, target, values = line
            assert values == ()
            assert changed == b"%b %b HTTP/1.1%b" % (method.encode(), target, block)
            assert b" " not in target
            assert target.isascii()
            assert target.decode().isprintable()
