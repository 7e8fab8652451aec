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
from tests.support.listening import listening
from tests.support.raw_http import request
from tests.support.scripted_tokens import ScriptedTokens

HOST = b"gateway.test"

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


def outcome(
    admission: Admission, method: str, raw: bytes, host: bytes
) -> tuple[Target, Endpoint, str] | tuple[int, str]:
    fields: list[Field] = [(b"Host", host)]
    try:
        call = admission.admit(Asked(raw, method), read_caller(fields), None)  # type: ignore[arg-type]  # all it needs
    except CallRefusedError as error:
        return error.status, error.slug_
    return call.target, call.endpoint, call.account.name


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
        b"http://gateway.test/v2/users",
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
    lasting = Admission(ACCOUNTS, Named(), b"api.zoom.us")
    for method, path, query, host in calls:
        fresh = Admission(ACCOUNTS, Named(), b"api.zoom.us")
        got = outcome(lasting, method, path + query, host)
        assert got == outcome(fresh, method, path + query, host)


def test_a_path_that_takes_time_is_read_once_whatever_its_query() -> None:
    named = Named()
    admission = Admission(ACCOUNTS, named, b"api.zoom.us")
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
    admission = Admission(ACCOUNTS, named, b"api.zoom.us")
    for _ in range(2):
        outcome(admission, "GET", raw, HOST)
    assert named.asked == 2


def test_the_memory_for_paths_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admit, "_REMEMBERED", 3)
    admission = Admission(ACCOUNTS, Named(), b"api.zoom.us")
    for number in range(10):
        outcome(admission, "GET", b"/v2/users/%%20%d" % number, HOST)
        assert 0 < len(admission._known) <= 3


async def test_zoom_gets_each_query_as_it_was_sent() -> None:
    async with listening() as running, await running.caller() as caller:
        targets = [b"/v2/users?a=1", b"/v2/users", b"/v2/users?", b"/v2/users?a=%2F&b=?"]
        for target in targets:
            assert (await caller.call(request(target))).status == 200
        assert [sent.target for sent in running.upstream.sent] == targets
