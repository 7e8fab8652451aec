from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.lacks import AGAIN, MOST, STALE, Key, Lack, Lacks, told_lacks
from gateway.core.secret import Secret
from gateway.core.token import Cause, SlotId, Token

KEY: Key = ("default", "GET", "/v2/users")
SCOPES = ("user:read:list_users", "user:read:list_users:admin")


def token(generation: int, scope: str = "") -> Token:
    slot = SlotId("default", 0)
    return Token(Secret("x"), slot, generation, 0.0, 9e9, Cause.START, "gw", scope)


def test_an_operation_is_told_once() -> None:
    lacks = Lacks()
    first = lacks.heard(KEY, SCOPES, 3, 10.0)
    assert first is not None
    assert (first.operation, first.since, first.count) == ("GET /v2/users", 10.0, 1)
    assert first.scope == "the scope user:read:list_users:admin"
    assert lacks.heard(KEY, (), 4, 12.0) is None
    assert lacks.heard((*KEY[:2], "/v2/other"), (), 4, 13.0) is not None
    (other, again) = lacks.of("default", token(4), 14.0)
    assert other.scope == "a scope that Zoom does not name"
    assert (again.since, again.last, again.count, again.scopes) == (10.0, 12.0, 2, SCOPES)
    assert again.generation == 4
    assert lacks.of("other", token(4), 14.0) == ()
    assert lacks.open == len(lacks) == 2


def test_it_is_settled_when_zoom_takes_it() -> None:
    lacks = Lacks()
    lacks.heard(KEY, SCOPES, 3, 10.0)
    lacks.accepted(("default", "POST", "/v2/users"))
    assert lacks.open == 1
    lacks.accepted(KEY)
    lacks.accepted(KEY)
    assert (lacks.open, lacks.of("default", None, 11.0)) == (0, ())
    # Soon after, it is shown again, but not told again.
    assert lacks.heard(KEY, SCOPES, 3, 20.0) is None
    (shown,) = lacks.of("default", None, 21.0)
    assert (shown.since, shown.count) == (20.0, 1)
    lacks.accepted(KEY)
    assert lacks.heard(KEY, SCOPES, 3, 10.0 + AGAIN + 1) is not None
    assert lacks.open == 1


def test_what_is_outside_the_table_may_be_another_operation() -> None:
    lacks = Lacks()
    key = ("default", "GET", "other")
    lacks.heard(key, SCOPES, 3, 10.0)
    lacks.accepted(key)
    assert lacks.open == 1


def test_a_newer_token_that_holds_the_scope_settles_it() -> None:
    lacks = Lacks()
    lacks.heard(KEY, SCOPES, 3, 10.0)
    # The refused token held it, as it says: Zoom is late.
    assert len(lacks.of("default", token(3, SCOPES[1]), 11.0)) == 1
    assert len(lacks.of("default", token(4, "user:read"), 12.0)) == 1
    assert len(lacks.of("default", None, 12.0)) == 1
    assert lacks.of("default", token(4, f"a:b {SCOPES[1]}"), 13.0) == ()
    assert lacks.open == 0


def test_what_nobody_calls_any_more_is_settled() -> None:
    lacks = Lacks()
    lacks.heard(KEY, SCOPES, 3, 10.0)
    assert len(lacks.of("default", token(3), 10.0 + STALE)) == 1
    assert lacks.of("default", token(3), 11.0 + STALE) == ()


def test_the_longest_unheard_of_is_forgotten() -> None:
    lacks = Lacks()
    for number in range(MOST):
        lacks.heard(("default", "GET", f"/v2/{number}"), (), 1, 1.0)
    lacks.heard(("default", "GET", "/v2/0"), (), 1, 2.0)
    lacks.accepted(("default", "GET", "/v2/1"))
    lacks.heard(KEY, SCOPES, 1, 3.0)
    assert (len(lacks), lacks.open) == (MOST, MOST)
    shown = {one.route for one in lacks.of("default", None, 4.0)}
    assert {"/v2/0", "/v2/users"} <= shown
    assert "/v2/1" not in shown


def test_what_status_tells() -> None:
    lack = Lack("GET", "/v2/users", SCOPES, 1.0, 2.0, 3, 4, 1.0)
    assert told_lacks([lack, replace(lack, scopes=())], lambda moment: f"at {moment:g}") == [
        {
            "method": "GET",
            "route": "/v2/users",
            "scopes": scopes,
            "count": 3,
            "since": "at 1",
            "last": "at 2",
        }
        for scopes in ([*SCOPES], [])
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from("hao"), st.integers(0, 3), st.integers(0, 2), st.booleans()),
        max_size=60,
    )
)
def test_the_count_of_open_ones_is_right(steps: list[tuple[str, int, int, bool]]) -> None:
    lacks = Lacks()
    accounts = ("a", "b", "c", "d")
    for now, (what, place, generation, held) in enumerate(steps):
        key = (accounts[place], "GET", "/v2/users")
        if what == "h":
            lacks.heard(key, SCOPES, generation, float(now))
        elif what == "a":
            lacks.accepted(key)
        else:
            lacks.of(key[0], token(generation, SCOPES[0] if held else ""), float(now))
    assert lacks.open == sum(len(lacks.of(name, None, 0.0)) for name in accounts)
