"""Templates, endpoints and the table of operations."""

import csv
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway
from gateway.core import routes
from gateway.core.endpoint import Endpoint
from gateway.core.routes import (
    METHODS,
    Endpoints,
    Operation,
    RouteTable,
    parse_operations,
)

TABLE = Path(gateway.__file__).parent / "data" / "zoom_operations.tsv"
OPERATIONS = parse_operations(TABLE.read_text("utf-8"))
ZOOM = RouteTable(OPERATIONS)

HEAD = "path\tmethod\tproduct\toperation_id\trate_category\tgranular_scopes\n"


def table(*templates: str) -> RouteTable:
    """A table of `METHOD /template` lines."""
    pairs = (line.split(" ") for line in templates)
    return RouteTable(Operation(path, method, "p", "o", None, ()) for method, path in pairs)


class TestParsing:
    def test_a_line_becomes_an_operation(self) -> None:
        line = "/v2/users\tGET\tusers\tusers\tmedium\tuser:read:list:admin user:read:list:master\n"
        assert parse_operations(HEAD + line) == (
            Operation(
                path="/v2/users",
                method="GET",
                product="users",
                operation_id="users",
                rate_category="medium",
                scopes=("user:read:list:admin", "user:read:list:master"),
            ),
        )

    def test_unknown_category_and_scopes_are_none_and_empty(self) -> None:
        [operation] = parse_operations(HEAD + "/v2/x\tGET\tp\to\t\t\n")
        assert operation.rate_category is None
        assert operation.scopes == ()

    @pytest.mark.parametrize("line", ["/v2/users\tGET", "v2/users\tGET\tp\to\t\t", ""])
    def test_a_bad_line_is_named_by_its_number(self, line: str) -> None:
        with pytest.raises(ValueError, match="line 3"):
            parse_operations(HEAD + "/v2/x\tGET\tp\to\t\t\n" + line + "\n")

    def test_the_packaged_table_is_complete(self) -> None:
        with TABLE.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        assert len(OPERATIONS) == len(rows) == 1750
        assert [(o.path, o.method) for o in OPERATIONS] == [(r["path"], r["method"]) for r in rows]
        assert sum(o.rate_category is not None for o in OPERATIONS) == 1012
        assert {o.method for o in OPERATIONS} <= METHODS


class TestMatching:
    @pytest.mark.parametrize(
        ("method", "target", "template"),
        [
            ("GET", "/v2/users", "/v2/users"),
            ("GET", b"/v2/users/me", "/v2/users/{userId}"),
            ("PATCH", "/v2/users/a@b.example", "/v2/users/{userId}"),
            ("GET", "/v2/users?page_size=1", "/v2/users"),
            ("GET", "/v2/users?", "/v2/users"),
            ("GET", "/v2/users#top", "/v2/users"),
            ("GET", "/v2/users/?page_size=30&", "/v2/users"),
            ("GET", "/v2/users/1/", "/v2/users/{userId}"),
            ("HEAD", "/v2/users", "/v2/users"),
            ("GET", "/v2/past_meetings/%252Fab%253D%253D", "/v2/past_meetings/{meetingId}"),
            ("GET", "/v2/meetings/%2Fa%2F/recordings", "/v2/meetings/{meetingId}/recordings"),
            ("GET", "/v2/users/?x=/v2/meetings", "/v2/users"),
            ("GET", "/scim2/Groups/7", "/scim2/Groups/{groupId}"),
        ],
    )
    def test_finds_the_template(self, method: str, target: bytes | str, template: str) -> None:
        assert ZOOM.match(method, target) == template

    @pytest.mark.parametrize(
        ("method", "target"),
        [
            ("GET", "/v2/nothing"),
            ("GET", "/v2"),
            ("GET", "/"),
            ("GET", ""),
            ("GET", "*"),
            ("GET", "v2/users"),
            ("GET", "https://api.zoom.us/v2/users"),
            ("GET", "/v2/Users"),
            ("GET", "/v2//users"),
            ("GET", "//v2/users"),
            ("GET", "/v2/users//"),
            ("GET", "/v2/users//settings"),
            ("GET", "/v2%2Fusers"),
            ("GET", "/v2/users/1/nothing"),
            ("TRACE", "/v2/users"),
            ("get", "/v2/users"),
            ("OPTIONS", "/v2/users"),
        ],
    )
    def test_finds_none(self, method: str, target: str) -> None:
        assert ZOOM.match(method, target) is None

    def test_a_literal_beats_a_parameter(self) -> None:
        routes = table("GET /a/{x}", "GET /a/b")
        assert routes.match("GET", "/a/b") == "/a/b"
        assert routes.match("GET", "/a/c") == "/a/{x}"

    def test_goes_back_where_the_literal_leads_nowhere(self) -> None:
        routes = table("GET /a/b/c", "GET /a/{x}/d", "GET /{y}/b/e")
        assert routes.match("GET", "/a/b/d") == "/a/{x}/d"
        assert routes.match("GET", "/a/b/e") == "/{y}/b/e"
        assert routes.match("GET", "/a/b/f") is None
        assert routes.match("GET", "/a/b") is None

    def test_methods_have_their_own_names_for_a_parameter(self) -> None:
        routes = table("GET /a/{x}", "DELETE /a/{y}", "GET /a/b")
        assert routes.match("GET", "/a/1") == "/a/{x}"
        assert routes.match("DELETE", "/a/1") == "/a/{y}"
        assert routes.match("DELETE", "/a/b") == "/a/{y}"

    def test_head_without_get(self) -> None:
        assert table("POST /a").match("HEAD", "/a") is None

    def test_an_own_head_operation_wins(self) -> None:
        routes = table("GET /a/{x}", "HEAD /a/{y}")
        assert routes.match("HEAD", "/a/1") == "/a/{y}"


SEGMENT = st.text(alphabet=string.ascii_letters + string.digits + "-_.~%@+=", min_size=1)


def fits(template: str, path: str) -> bool:
    """What a template means, said plainly: the oracle of the tree."""
    wanted, given_ = template.split("/"), path.split("/")
    return len(wanted) == len(given_) and all(
        bool(g) if w.startswith("{") else w == g for w, g in zip(wanted, given_, strict=True)
    )


@given(operation=st.sampled_from(OPERATIONS), data=st.data(), end=st.sampled_from(["", "/"]))
def test_every_template_matches_itself_or_one_that_fits_too(
    operation: Operation, data: st.DataObject, end: str
) -> None:
    path = "/".join(
        data.draw(SEGMENT) if segment.startswith("{") else segment
        for segment in operation.path.split("/")
    )
    target = path + end + data.draw(st.sampled_from(["", "?", "?a=/b/c", "#x"]))
    found = ZOOM.match(operation.method, target)
    assert found is not None
    assert fits(found, path)
    assert ZOOM.match(operation.method, target.encode()) == found


def test_a_template_is_its_own_example() -> None:
    for operation in OPERATIONS:
        assert ZOOM.match(operation.method, operation.path) == operation.path


@given(
    paths=st.lists(
        st.lists(
            st.sampled_from(["v2", "V2", "users", "me", "7", "settings", "a%20b", "", "oauth"])
        )
        .map("/".join)
        .map(lambda path: f"/{path}".encode())
    )
)
def test_an_endpoint_of_a_path_is_the_same_whatever_came_before(paths: list[bytes]) -> None:
    endpoints = Endpoints(ZOOM)
    for path in paths:
        for method in ("GET", "PATCH", "odd"):
            expected = Endpoints(ZOOM).endpoint(method, path)
            assert endpoints.of_path(method, path) == expected


def test_endpoints_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "SHAPES", 2)
    endpoints = Endpoints(table("GET /a/{x}", "GET /b/{x}", "GET /c/{x}"))
    first = endpoints.of_path("GET", b"/a/1")
    assert endpoints.of_path("GET", b"/a/2") is first
    for path in (b"/b/1", b"/c/1", b"/x/1", b"/y/1"):
        endpoints.of_path("GET", path)
        assert len(endpoints._known) <= 2
    assert endpoints.of_path("GET", b"/a/3") == first


@given(method=st.text(), target=st.binary() | st.text(st.characters(codec=None)))
def test_never_raises(method: str, target: bytes | str) -> None:
    endpoint = Endpoints(ZOOM).endpoint(method, target)
    assert endpoint.method in {*METHODS, "other"}
    assert endpoint.key.startswith(f"{endpoint.method} ")


@given(target=st.binary())
def test_bytes_and_their_text_are_the_same_endpoint(target: bytes) -> None:
    endpoints = Endpoints(ZOOM)
    text = target.decode("utf-8", "surrogateescape")
    assert endpoints.endpoint("GET", target) == endpoints.endpoint("GET", text)


class TestEndpoints:
    def test_in_the_table_the_key_is_method_and_template(self) -> None:
        assert Endpoints(ZOOM).endpoint("PATCH", b"/v2/users/me?x=1") == Endpoint(
            method="PATCH", route="/v2/users/{userId}", key="PATCH /v2/users/{userId}"
        )

    def test_head_has_gets_route_and_its_own_key(self) -> None:
        endpoint = Endpoints(ZOOM).endpoint("HEAD", "/v2/users")
        assert (endpoint.route, endpoint.key) == ("/v2/users", "HEAD /v2/users")

    def test_a_methods_case_does_not_matter(self) -> None:
        endpoints = Endpoints(ZOOM)
        assert endpoints.endpoint("get", "/v2/users") == endpoints.endpoint("GET", "/v2/users")
        assert endpoints.endpoint("get", "/x") == endpoints.endpoint("GET", "/x")

    def test_outside_the_table_the_key_is_a_hash_of_the_path(self) -> None:
        endpoint = Endpoints(ZOOM).endpoint("GET", "/v2/nothing/secret-id?token=abc")
        assert endpoint.route == "other"
        name, _, digest = endpoint.key.partition(" #")
        assert name == "GET"
        assert len(digest) == 16
        assert set(digest) <= set(string.hexdigits.lower())

    def test_the_hash_is_the_same_everywhere(self) -> None:
        key = Endpoints(ZOOM).endpoint("GET", "/v2/nothing").key
        assert key == "GET #8426939c5bbacf5f"

    def test_the_query_does_not_matter_the_path_and_method_do(self) -> None:
        endpoints = Endpoints(ZOOM)
        key = endpoints.endpoint("GET", "/x?a=1").key
        assert endpoints.endpoint("GET", "/x?a=2").key == key
        assert endpoints.endpoint("GET", "/y?a=1").key != key
        assert endpoints.endpoint("PUT", "/x").key.split("#")[1] != key.split("#")[1]

    def test_an_unknown_method_is_other(self) -> None:
        endpoints = Endpoints(ZOOM)
        purge = endpoints.endpoint("PURGE", "/v2/users")
        assert (purge.method, purge.route) == ("other", "other")
        assert purge.key.startswith("other #")
        assert purge.key != endpoints.endpoint("BREW", "/v2/users").key

    def test_keeps_no_more_than_the_limit_and_drops_the_least_recently_used(self) -> None:
        endpoints = Endpoints(ZOOM, limit=3)
        keys = [endpoints.endpoint("GET", f"/{i}").key for i in range(3)]
        endpoints.endpoint("GET", "/0")
        late = endpoints.endpoint("GET", "/3").key
        assert [key in endpoints for key in (*keys, late)] == [True, False, True, True]
        assert len(endpoints) == 3

    def test_a_dropped_key_comes_back_the_same(self) -> None:
        endpoints = Endpoints(ZOOM, limit=1)
        first = endpoints.endpoint("GET", "/0")
        endpoints.endpoint("GET", "/1")
        assert endpoints.endpoint("GET", "/0") == first

    def test_a_limit_of_none_still_gives_keys(self) -> None:
        endpoints = Endpoints(ZOOM, limit=0)
        assert endpoints.endpoint("GET", "/0").key.startswith("GET #")
        assert len(endpoints) == 0

    def test_the_table_takes_no_room(self) -> None:
        endpoints = Endpoints(ZOOM)
        for operation in OPERATIONS:
            endpoints.endpoint(operation.method, operation.path)
        assert len(endpoints) == 0

    def test_no_more_than_1024_by_default(self) -> None:
        endpoints = Endpoints(ZOOM)
        for i in range(1100):
            endpoints.endpoint("GET", f"/{i}")
        assert len(endpoints) == 1024
