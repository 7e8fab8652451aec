import pytest

from gateway.core.patterns import (
    Catalogue,
    Pattern,
    PatternError,
    PatternTree,
    Selection,
    covers,
    meet,
    shape_of,
)
from gateway.core.routes import Operation


def operation(method: str, path: str, product: str, name: str) -> Operation:
    return Operation(path, method, product, name, None, ())


TABLE = (
    operation("GET", "/v2/users", "users", "users"),
    operation("GET", "/v2/users/{userId}", "users", "user"),
    operation("DELETE", "/v2/users/{userId}", "users", "userDelete"),
    operation("GET", "/v2/users/summary", "users", "usersSummary"),
    operation("POST", "/v2/users/{userId}/meetings", "meetings", "meetingCreate"),
    operation("POST", "/v2/clips", "clips", "Migrate1:1Clips"),
    operation("PUT", "/v2/odd", "odd", "what?[x]"),
)
CATALOGUE = Catalogue(TABLE)


def pattern(entry: str) -> Pattern:
    [one] = CATALOGUE.select([entry]).patterns
    return one


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ("user", {"user"}),
        ("user*", {"users", "user", "userDelete", "usersSummary"}),
        ("product:users", {"users", "user", "userDelete", "usersSummary"}),
        ("operation:users", {"users"}),
        ("clips", {"Migrate1:1Clips"}),
        ("Migrate1:1Clips", {"Migrate1:1Clips"}),
        ("what?[*", {"what?[x]"}),
        ("*", {one.operation_id for one in TABLE}),
    ],
)
def test_names(entry: str, names: set[str]) -> None:
    keys = {(one.method, one.path) for one in TABLE if one.operation_id in names}
    assert CATALOGUE.select([entry]) == Selection(frozenset(keys), ())


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("users", "both a product and an operation: say product:users or operation:users"),
        ("usres", "names no operation and no product"),
        ("product:user", "names no operation"),
        ("operation:clips", "names no operation"),
        ("nothing*", "names no operation"),
        ("/v2/%75sers", "is no path"),
        ("/v2//users", "is no path"),
        ("/v2/../users", "is no path"),
        ("/v2/**/users", "is no path"),
        ("/v2/users?a", "is no path"),
        ("/v2/us*", "is no path"),
        ("/v2/{a}b", "is no path"),
    ],
)
def test_what_is_no_entry(entry: str, problem: str) -> None:
    with pytest.raises(PatternError, match=problem.replace("?", r"\?")):
        CATALOGUE.select([entry])


def test_names_of_the_catalogue() -> None:
    assert {"user", "users", "clips"} <= set(CATALOGUE.names())


@pytest.mark.parametrize(
    ("entry", "exact", "template"),
    [
        ("/", (), None),
        ("/**", ("**",), None),
        ("/v2/Users/{id}", ("v2", "Users", "*"), None),
        ("/v2/users/{id}", ("v2", "users", "*"), "/v2/users/*"),
        ("/v2/users/{id}/", ("v2", "users", "*"), "/v2/users/*"),
        ("/v2/users/*", ("v2", "users", "*"), None),
        ("/v2/users/{id}/**", ("v2", "users", "*", "**"), None),
    ],
)
def test_paths(entry: str, exact: tuple[str, ...], template: str | None) -> None:
    one = pattern(entry)
    assert (one.exact, one.template) == (exact, template)
    assert one.folded == tuple(step.lower() for step in exact)


PATTERNS = ("/v2/Users", "/v2/*/x", "/v2/users/**", "/**", "/v2/users/me")


@pytest.mark.parametrize(
    ("path", "folded", "exact"),
    [
        ("/v2/users", {"/v2/Users", "/v2/users/**", "/**"}, {"/v2/users/**", "/**"}),
        ("/v2/Users", {"/v2/Users", "/v2/users/**", "/**"}, {"/v2/Users", "/**"}),
        ("/v2/users/me", {"/v2/users/**", "/**", "/v2/users/me"}, None),
        ("/v2/users/x", {"/v2/users/**", "/**", "/v2/*/x"}, None),
        ("/v2/users/x/y/z", {"/v2/users/**", "/**"}, None),
        ("/v2//x", {"/**"}, None),
        ("/", {"/**"}, None),
        ("/v3", {"/**"}, None),
    ],
)
def test_a_tree_finds_what_fits(path: str, folded: set[str], exact: set[str] | None) -> None:
    tree = PatternTree([pattern(entry) for entry in PATTERNS])
    segments = path[1:].split("/") if path != "/" else []
    hits = tree.hits([one.lower() for one in segments])
    assert {PATTERNS[n] for n in hits} == folded
    exactly = tree.exactly(hits, segments)
    assert {PATTERNS[n] for n in exactly} == (folded if exact is None else exact)
    assert (exactly is hits) == (exact is None)


@pytest.mark.parametrize(
    ("wide", "narrow", "answer"),
    [
        ("/v2/**", "/v2/users/{userId}", True),
        ("/v2/**", "/v2", True),
        ("/v2/**", "/v2/users/**", True),
        ("/v2/users/**", "/v2/**", False),
        ("/v2/*", "/v2/**", False),
        ("/v2/*", "/v2/users", True),
        ("/v2/users", "/v2/*", False),
        ("/v2/users/*", "/v2/users/{userId}", True),
        ("/v2/users/{userId}", "/v2/users/*", False),
        ("/v2/users/{userId}", "/v2/users/{id}", True),
        ("/v2/users/{userId}", "/v2/users/me", False),
        ("/v2/users", "/v2/users/me", False),
    ],
)
def test_covering(wide: str, narrow: str, answer: bool) -> None:  # noqa: FBT001
    assert covers(pattern(wide), pattern(narrow)) is answer


def test_the_shape_of_a_template() -> None:
    assert shape_of("/v2/users/{userId}") == ("v2", "users", "*")


@pytest.mark.parametrize(
    ("left", "right", "answer"),
    [
        ("/v2/users", "/v2/users", True),
        ("/v2/users", "/v2/*", True),
        ("/v2/*", "/*/users", True),
        ("/v2/users", "/v2/rooms", False),
        ("/v2/users", "/v2/users/me", False),
        ("/v2/**", "/v2/users/me", True),
        ("/v2/users/me", "/v2/**", True),
        ("/v2/users/**", "/v2/users", True),
        ("/v2/users", "/v2/users/**", True),
        ("/v2/users/*/**", "/v2/users", False),
    ],
)
def test_whether_some_path_fits_both(left: str, right: str, answer: bool) -> None:  # noqa: FBT001
    assert meet(pattern(left).folded, pattern(right).folded) is answer


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/**", True),
        ("/v2/users/*", True),
        ("/V2/Users/{id}", True),
        ("/v2/users/x/meetings", True),
        ("/users/**", False),
        ("/v2/users/x/rooms", False),
    ],
)
def test_whether_a_path_fits_any_operation(path: str, known: bool) -> None:  # noqa: FBT001
    assert CATALOGUE.knows(path) is known
