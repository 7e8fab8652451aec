"""What a value must be, one rule each, and that all problems come at once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import ConfigurationError
from gateway.stores import record
from tests.settings.configured import problem, problems, settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("listen.host", "0.0.0.0"),
        ("listen.host", "'::'"),
        ("listen.host", "gateway.internal"),
        ("listen.port", "0"),
        ("listen.port", "65535"),
        ("listen.port", "9090\nadmin: {port: 0}"),
        ("admin.port", "8081"),
        ("upstream.api_url", "https://api.zoomgov.com/"),
        ("upstream.api_url", "https://api.zoom.us:8443"),
        ("upstream.api_url", "http://localhost:8081"),
        ("upstream.api_url", "http://127.8.9.1:8081"),
        ("upstream.api_url", "'http://[::1]:8081'"),
        ("upstream.token_url", "http://127.0.0.1:8081/oauth/token"),
        ("token.rotate_at", "auto"),
        ("token.rotate_at", "0.5"),
        ("token.wait_timeout", "60"),
        ("token.probe_path", "/v2/users?page_size=1"),
        ("replay.memory_limit", "0"),
        ("replay.dir", "/"),
        ("store.url", "'memory:'"),
        ("store.url", "file:///var/lib/zoom%20gateway"),
        ("store.lease", "30"),
        ("store.on_outage", "wait"),
        ("drain.delay", "0"),
        ("log.level", "WARNING"),
        ("log.format", "console"),
    ],
)
def test_right(key: str, value: str) -> None:
    section, _, name = key.partition(".")
    settings(f"{section}:\n  {name}: {value}\n")


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("listen.host", "''", "address or host name"),
        ("listen.host", "'[::1]'", "address or host name"),
        ("listen.host", "localhost:8080", "address or host name"),
        ("listen.host", "http://localhost", "address or host name"),
        ("listen.port", "-1", "0 to 65535"),
        ("listen.port", "65536", "0 to 65535"),
        ("listen.port", "80.5", "0 to 65535"),
        ("listen.port", "true", "0 to 65535"),
        ("listen.port", "[80]", "0 to 65535"),
        ("listen.port", "9090", "must listen elsewhere than listen (127.0.0.1, port 9090)"),
        ("upstream.api_url", "http://api.zoom.us", "must begin with https://"),
        ("upstream.api_url", "http://127.0.0.1.example", "must begin with https://"),
        ("upstream.api_url", "http://localhost.example", "must begin with https://"),
        ("upstream.api_url", "https://api.zoom.us/v2", "callers add /v2"),
        ("upstream.api_url", "https://api.zoom.us/v2/", "callers add /v2"),
        ("upstream.api_url", "https://api.zoom.us/x", "must not have a path"),
        ("upstream.api_url", "https://u:p@api.zoom.us", "user name or password"),
        ("upstream.api_url", "https://api.zoom.us?", "query"),
        ("upstream.api_url", "'https://api.zoom.us#'", "fragment"),
        ("upstream.api_url", "api.zoom.us", "must be a URL such as"),
        ("upstream.api_url", "ftp://api.zoom.us", "must be a URL such as"),
        ("upstream.api_url", "'https://'", "must be a URL such as"),
        ("upstream.api_url", "https://api.zoom.us:99999", "must be a URL such as"),
        ("upstream.api_url", "https://[::1", "must be a URL such as"),
        ("upstream.api_url", "https://api zoom.us", "must be a URL such as"),
        ("upstream.token_url", "https://zoom.us", "must have a path"),
        ("upstream.token_url", "http://zoom.us/oauth/token", "must begin with https://"),
        ("upstream.connect_timeout", "0", "greater than 0"),
        ("upstream.connect_timeout", "-1", "greater than 0"),
        ("upstream.idle_timeout", ".inf", "greater than 0"),
        ("upstream.idle_timeout", "inf", "greater than 0"),
        ("upstream.idle_timeout", "nan", "greater than 0"),
        ("upstream.idle_timeout", "60s", "number of seconds"),
        ("token.rotate_at", "0", "share of the life between 0 and 1"),
        ("token.rotate_at", "1", "share of the life between 0 and 1"),
        ("token.rotate_at", "50%", "share of the life between 0 and 1"),
        ("token.wait_timeout", "61", "at most 60"),
        ("token.wait_timeout", "4", "mint_timeout: must be less than token.wait_timeout (4 s)"),
        ("token.mint_timeout", "8", "must be less than token.wait_timeout (8 s)"),
        ("token.probe_path", "v2/users/me", "begins with /"),
        ("token.probe_path", "/v2/users me", "begins with /"),
        ("replay.memory_limit", "1MiB", "number of bytes"),
        ("replay.disk_limit", "-1", "number of bytes"),
        ("replay.dir", "/none/such", "/none/such is not a directory"),
        ("store.url", "mysql://localhost", "mysql: is no store that is supported: use memory: or"),
        ("store.url", "memory", "must be memory: or file:///dir"),
        ("store.url", "'memory:x'", "must be memory: and no more"),
        ("store.url", "file://dir/x", "three slashes"),
        ("store.url", "file:dir", "three slashes"),
        ("store.url", "'file:///'", "three slashes"),
        ("store.url", "'file:///a?b'", "three slashes"),
        ("store.url", "'file:///a%00'", "three slashes"),
        ("store.lease", "0", "greater than 0, at most 30"),
        ("store.lease", "30.1", "must be a number of seconds greater than 0, at most 30"),
        ("store.lease", "nan", "at most 30"),
        ("store.on_outage", "stop", "must be mint or wait"),
        ("drain.delay", "-1", "0 or greater"),
        ("log.format", "xml", "must be json or console"),
        ("log.level", "loud", "must be debug, info, warning or error"),
        ("log.level", "[info]", "must be debug, info, warning or error"),
    ],
)
def test_wrong(key: str, value: str, hint: str) -> None:
    section, _, name = key.partition(".")
    line = problem(f"{section}:\n  {name}: {value}\n")
    assert line.startswith(f"{section}.") or hint.startswith("must listen elsewhere")
    assert hint in line


def test_a_directory_that_may_not_be_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "is_dir", forbidden)
    assert "is not a directory that can be used" in problem(f"replay: {{dir: {tmp_path}}}")


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_listen_and_admin_must_differ(host: str) -> None:
    text = f"listen: {{host: {host}, port: 80}}\nadmin: {{port: 80}}"
    assert problem(text).startswith("admin: must listen elsewhere than listen")
    settings("listen: {host: 127.0.0.1, port: 80}\nadmin: {host: 127.0.0.2, port: 80}")
    settings(f"listen: {{host: {host}, port: 0}}\nadmin: {{port: 0}}")


def test_sections_must_be_mappings() -> None:
    keys = "host, port, socket, socket_mode"
    assert problem("listen: 8080") == f"listen: must be a mapping with the keys {keys}"
    assert problem("token: [1]").startswith("token: must be a mapping with the keys rotate_at, ")


def test_the_longest_lease_is_one_that_a_store_keeps() -> None:
    lease = settings("store: {lease: 30}").store.lease
    taken, _ = record.acquire(record.Record(), "default", "gw-1", lease, now=1000.0)
    assert taken.held(1000.0)
    assert taken.held(1000.0 + lease - 1)


def test_nothing_changes_afterwards() -> None:
    loaded = settings()
    with pytest.raises(ValueError, match="frozen"):
        loaded.listen.port = 1
    with pytest.raises(ValueError, match="frozen"):
        loaded.listen = loaded.listen


def test_all_problems_at_once_in_the_order_of_the_keys() -> None:
    text = """
        listen: {port: x}
        upstream: {api_url: api.zoom.us}
        accounts:
          default:
            account_id: ...
            apps:
              - {client_id: a, client_secret: s, client_secret_file: /none}
              - {client_id: a, clientsecret: s}
              - {name: c, client_id: b:c, client_secret: s, token_indexes: []}
        token: {rotate_at: 2, wait_timeout: 3}
        store: {url: redis}
        lgo: {}
    """
    keys = [line.partition(":")[0] for line in problems(text, {"ZOOM_GATEWAY_LOG__X": "1"})]
    assert keys == [
        "ZOOM_GATEWAY_LOG__X",
        "lgo",
        "accounts.default.apps[1].name",
        "accounts.default.apps[1].client_id",
        "listen.port",
        "upstream.api_url",
        "accounts.default.account_id",
        "accounts.default.apps[0].client_secret_file",
        "accounts.default.apps[1].client_secret",
        "accounts.default.apps[1].clientsecret",
        "accounts.default.apps[2].client_id",
        "accounts.default.apps[2].token_indexes",
        "token.rotate_at",
        "token.mint_timeout",
        "store.url",
    ]


TREES = st.recursive(
    st.none() | st.text("ab:/.[]{}'\"&*!-0159_ \n"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["accounts", "default", "apps", "name", "client_id", "log", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(tree=TREES)
def test_any_text_loads_or_is_a_configuration_error(tree: object) -> None:
    try:
        settings(str(tree))
        settings(f"accounts: {tree}")
    except ConfigurationError as error:
        assert error.problems  # noqa: PT017 - either way is right
