import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.routes import Operation
from gateway.core.scopes import (
    MOST_NAMED,
    advised,
    classic,
    lacking,
    scopes_of,
    weigh,
)


def operation(name: str, *scopes: str) -> Operation:
    return Operation(f"/v2/{name}", "GET", "users", name, None, scopes)


def said(code: object, message: object) -> bytes:
    return json.dumps({"code": code, "message": message}).encode()


def test_what_classic_scopes_are() -> None:
    granted = {"user:read:admin", "meeting:master", "user:read:list_users:admin", "meeting:read"}
    assert classic(granted) == ["meeting:master", "meeting:read", "user:read:admin"]
    assert classic(granted, ["meeting:read", "meeting:master"]) == ["user:read:admin"]
    assert classic({"scim2:admin", "imchat:bot"}) == []


def test_the_scope_that_is_advised() -> None:
    assert advised(("a:read:x:master", "a:read:x:admin", "a:read:x")) == "a:read:x:admin"
    assert advised(("a:read:x:master", "a:read:x")) == "a:read:x"
    assert advised(()) == ""


def test_operations_are_weighed() -> None:
    list_users = operation("list", "user:read:list_users", "user:read:list_users:admin")
    one_user = operation("one", "user:read:user:admin")
    meetings = operation("meetings")
    operations = [list_users, one_user, meetings]
    weighed = weigh(operations, scopes_of(" user:read:list_users:admin\tx:y "))
    assert (weighed.held, weighed.lacking) == ([list_users], [one_user])
    assert (weighed.unlisted, weighed.hidden) == ([meetings], [])
    weighed = weigh(operations, scopes_of("user:read:list_users user:read:admin"))
    assert (weighed.held, weighed.lacking) == ([list_users], [])
    assert (weighed.unlisted, weighed.hidden) == ([meetings], [one_user])
    # A granular scope that looks like a classic one is none.
    weighed = weigh(operations, scopes_of("user:read:admin"), ["user:read:admin"])
    assert (weighed.lacking, weighed.hidden) == ([list_users, one_user], [])
    assert weigh(operations, frozenset()).lacking == [list_users, one_user]


MESSAGE = "Invalid access token, does not contain scopes:[user:read:user, user:read:user:admin]."
SCOPES = ("user:read:user", "user:read:user:admin")


@pytest.mark.parametrize(
    ("status", "code", "message", "found"),
    [
        (400, 4711, MESSAGE, SCOPES),
        (400, 4700, MESSAGE, SCOPES),
        (400, 104, MESSAGE, SCOPES),
        (401, 201, MESSAGE, SCOPES),
        (403, 4711, MESSAGE, SCOPES),
        (400, 4711, "does not contain scope [a:b a:b]", ("a:b",)),
        (400, 4711, "Missing scopes", ()),
        (400, 4711, 7, ()),
        (400, 4711, "does not contain scopes:[]", ()),
        (400, 200, "Does not contain permissions of scopes", None),
        (400, 300, "scope is no field", None),
        (401, 124, "Invalid access token.", None),
        (404, 4711, MESSAGE, None),
        (200, 4711, MESSAGE, None),
    ],
)
def test_what_an_answer_says_is_missing(
    status: int, code: int, message: object, found: tuple[str, ...] | None
) -> None:
    assert lacking(status, said(code, message)) == found


@pytest.mark.parametrize("body", [b"", b"scopes", b"[4711]", b'"scopes"', b"[" * 100_000 + b"4711"])
def test_what_is_no_answer_of_that_kind(body: bytes) -> None:
    assert lacking(400, body) is None


@pytest.mark.parametrize("count", [100, 10_000])
def test_no_message_is_too_long(count: int) -> None:
    many = ", ".join(f"user:read:a{number}" for number in range(count))
    found = lacking(400, said(4711, f"does not contain scopes:[{many}]"))
    assert found == tuple(f"user:read:a{number}" for number in range(MOST_NAMED))


@given(st.integers(100, 599), st.binary())
def test_it_is_total(status: int, body: bytes) -> None:
    lacking(status, body)
    lacking(status, b'{"code": 4711, "message": "does not contain scopes:[' + body + b']"}')
