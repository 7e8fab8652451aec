"""What was read of a path is remembered; nothing else of a call may come of it."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.endpoint import Endpoint
from gateway.core.errors import CallRefusedError
from gateway.core.headers import Field, read_caller
from gateway.core.routes import OTHER
from gateway.core.target import MAX_TARGET, Target
from gateway.web import admit
from gateway.web.accounts import AccountContext, Accounts
from gateway.web.admit import Admission
from gateway.web.origins import Origin
from tests.support.listening import listening
from tests.support.raw_http import request
from tests.support.scripted_tokens import ScriptedTokens
from tests.support.scripted_upstream import ScriptedUpstream

HOST = b"gateway.test"

ORIGIN = Origin(ScriptedUpstream(), b"api.zoom.us")

HOSTS = {host: Origin(ScriptedUpstream(), host.encode()) for host in ("zoom.us", "us02web.zoom.us")}


def at(host: str) -> Origin:
    """Where another host is. Raises CallRefusedError."""
    if host not in HOSTS:
        raise CallRefusedError(403, "host_not_zooms", "")
    return HOSTS[host]


ACCOUNTS = Accounts(AccountContext(name, ScriptedTokens()) for name in ("default", "sales"))


@dataclass
class Named:
    """Names endpoints, and counts how often it was asked."""

    asked: int = 0

    def __call__(self, method: str, path: bytes) -> Endpoint:
        self.asked += 1
        route = OTHER if b"stray" in path else f"/{path.count(b'/')}"
        return Endpoint(method, route, f"{method} {path.decode()}")


@dataclass
class Asked:
    """As much of a request as admission looks at."""

    target: bytes
    method: str = "GET"
    http11: bool = True
    broken: CallRefusedError | None = None
    known: None = None


@dataclass
class Moving:
    """Implements `Api`."""

    origin: Origin


def outcome(
    admission: Admission, method: str, raw: bytes, host: bytes
) -> tuple[Target, Endpoint, str, Origin] | tuple[int, str]:
    fields: list[Field] = [(b"Host", host)]
    try:
        call = admission.admit(Asked(raw, method), read_caller(fields), None)  # type: ignore[arg-type]  # all it needs
    except CallRefusedError as error:
        return error.status, error.slug_
    assert (b"Host", call.origin.host) in call.fields
    return call.target, call.endpoint, call.account.name, call.origin


PATH = st.sampled_from(
    [
        b"/v2/users/me",
        b"/v2/users",
        b"/@sales/v2/users",
        b"/%40sales/v2/users",
        b"/@nobody/v2/users",
        b"/@sales",
        b"/",
        b"/v2/meetings/%252Fa==",
        b"/stray",
        b"/oauth/token",
        b"/OAUTH/token",
        b"/_hosts/zoom.us/v2/users",
        b"/_hosts/us02web.zoom.us/v2/users",
        b"/_hosts/evil.example/v2/users",
        b"/@sales/_hosts/zoom.us/v2/users",
        b"/_hosts/zoom.us/@sales/v2/users",
        b"/_hosts/zoom.us/stray",
        b"/_hosts/zoom.us:443/v2/users",
        b"/_hosts/zoom.us/oauth/token",
        b"/_hosts/zoom.us/" + b"a" * (MAX_TARGET - 16),
        b"http://gateway.test/v2/users",
        b"http://gateway.test/_hosts/zoom.us/v2/users",
        b"HTTP://gateway.test/v2/users",
        b"/v2/" + b"a" * 252,
        b"/v2/" + b"a" * 253,
        b"/v2/" + b"a" * (MAX_TARGET - 4),
        b"/v2/a b",
        b"*",
    ]
)
QUERY = st.sampled_from([b"", b"?", b"?page_size=30", b"?a?b", b"?a#b", b"?a b", b"?\xff", b"?/@x"])
CALL = st.tuples(st.sampled_from(["GET", "POST"]), PATH, QUERY, st.sampled_from([HOST, b"other"]))


@given(st.lists(CALL, max_size=20))
def test_a_path_that_is_known_is_read_as_if_it_were_not(
    calls: list[tuple[str, bytes, bytes, bytes]],
) -> None:
    lasting = Admission(ACCOUNTS, Named(), ORIGIN, at)
    for method, path, query, host in calls:
        fresh = Admission(ACCOUNTS, Named(), ORIGIN, at)
        got = outcome(lasting, method, path + query, host)
        assert got == outcome(fresh, method, path + query, host)


def test_a_path_that_takes_time_is_read_once_whatever_its_query() -> None:
    named = Named()
    admission = Admission(ACCOUNTS, named, ORIGIN, at)
    for query in (b"?page=1", b"", b"?page=2", b"?"):
        outcome(admission, "GET", b"/v2/users/a%20b" + query, HOST)
    assert named.asked == 1
    outcome(admission, "POST", b"/v2/users/a%20b", HOST)
    assert named.asked == 2


@pytest.mark.parametrize(
    "raw", [b"/stray", b"/v2/users", b"/v2/%41" + b"a" * 250, b"http://gateway.test/v2/users"]
)
def test_what_is_not_remembered(raw: bytes) -> None:
    named = Named()
    admission = Admission(ACCOUNTS, named, ORIGIN, at)
    for _ in range(2):
        outcome(admission, "GET", raw, HOST)
    assert named.asked == 2


def test_the_memory_for_paths_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admit, "_REMEMBERED", 3)
    admission = Admission(ACCOUNTS, Named(), ORIGIN, at)
    for number in range(10):
        outcome(admission, "GET", b"/v2/users/%%20%d" % number, HOST)
        assert 0 < len(admission._known) <= 3


async def test_zoom_gets_each_query_as_it_was_sent() -> None:
    async with listening() as running, await running.caller() as caller:
        targets = [b"/v2/users?a=1", b"/v2/users", b"/v2/users?", b"/v2/users?a=%2F&b=?"]
        for target in targets:
            assert (await caller.call(request(target))).status == 200
        assert [sent.target for sent in running.upstream.sent] == targets


async def test_an_account_may_go_elsewhere_and_change_its_mind() -> None:
    """A header that is known holds the name of where it went before."""
    there, further = ScriptedUpstream(), ScriptedUpstream()
    api = Moving(Origin(there, b"api-eu.zoom.us"))
    eu = AccountContext("eu", ScriptedTokens(), api=api)
    usual = request(b"/@eu/v2/users/me", b"Accept: */*")
    async with listening(accounts=[eu]) as running, await running.caller() as caller:
        for _ in range(4):
            assert (await caller.call(usual)).status == 200
        api.origin = Origin(further, b"api-us.zoom.us")
        for _ in range(4):
            assert (await caller.call(usual)).status == 200
        assert (await caller.call(request(b"/v2/users/me", b"Accept: */*"))).status == 200
        assert (await caller.call(usual)).status == 200
        hosts = [
            [sent.values(b"host") for sent in one.sent]
            for one in (there, further, running.upstream)
        ]
        assert hosts == [[[b"api-eu.zoom.us"]] * 4, [[b"api-us.zoom.us"]] * 5, [[b"api.zoom.test"]]]


async def test_each_host_is_called_by_its_name_on_one_connection() -> None:
    calls = [
        (b"/v2/users/me", b"api.zoom.test"),
        (b"/_hosts/api-eu.zoom.us/v2/users/me", b"api-eu.zoom.us"),
        (b"/_hosts/api-us.zoom.us/v2/users/me", b"api-us.zoom.us"),
        (b"/v2/users/me", b"api.zoom.test"),
    ]
    async with listening() as running, await running.caller() as caller:
        for target, _ in calls * 3:
            assert (await caller.call(request(target, b"Accept: */*"))).status == 200
        went = [(sent.target, sent.values(b"host")) for sent in running.upstream.sent]
        assert went == [(b"/v2/users/me", [host]) for _, host in calls * 3]


async def test_calls_that_differ_in_values_go_where_each_is_for() -> None:
    """And have their own values, on a connection that changes its mind."""
    hosts = [b"api.zoom.test", b"api-eu.zoom.us", b"api-eu.zoom.us", b"api.zoom.test"] * 4
    async with listening() as running, await running.caller() as caller:
        for number, host in enumerate(hosts):
            prefix = b"" if host == b"api.zoom.test" else b"/_hosts/" + host
            call = request(prefix + b"/v2/users/me", b"X-Own: %d" % number, b"Accept: */*")
            assert (await caller.call(call)).status == 200
        sent = [(one.values(b"host"), one.values(b"x-own")) for one in running.upstream.sent]
        assert sent == [([host], [b"%d" % number]) for number, host in enumerate(hosts)]


async def test_values_differ_while_an_account_moves() -> None:
    there, further = ScriptedUpstream(), ScriptedUpstream()
    origins = Origin(there, b"api-eu.zoom.us"), Origin(further, b"api-us.zoom.us")
    api = Moving(origins[0])
    eu = AccountContext("eu", ScriptedTokens(), api=api)
    async with listening(accounts=[eu]) as running, await running.caller() as caller:
        for number in range(12):
            api.origin = origins[number // 3 % 2]
            call = request(b"/@eu/v2/users/me", b"X-Own: %d" % number, b"Accept: */*")
            assert (await caller.call(call)).status == 200
        for one, host, numbers in (
            (there, b"api-eu.zoom.us", (0, 1, 2, 6, 7, 8)),
            (further, b"api-us.zoom.us", (3, 4, 5, 9, 10, 11)),
        ):
            assert [sent.values(b"host") for sent in one.sent] == [[host]] * 6
            assert [sent.values(b"x-own") for sent in one.sent] == [[b"%d" % n] for n in numbers]
