"""Variables: their names, what they beat, and the three that are enough."""

from pathlib import Path

import pytest

from tests.settings.configured import SECRET, SHORT, problem, problems, settings

APPS = "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS"


def with_(**variables: str) -> dict[str, str]:
    return SHORT | {f"ZOOM_GATEWAY_{name}": value for name, value in variables.items()}


def service_variables(name: str) -> dict[str, str]:
    """What Kubernetes injects for a Service with one port."""
    return {
        f"{name}_SERVICE_HOST": "10.0.0.1",
        f"{name}_SERVICE_PORT": "8080",
        f"{name}_SERVICE_PORT_HTTP": "8080",
        f"{name}_PORT": "tcp://10.0.0.1:8080",
        f"{name}_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        f"{name}_PORT_8080_TCP_PROTO": "tcp",
        f"{name}_PORT_8080_TCP_PORT": "8080",
        f"{name}_PORT_8080_TCP_ADDR": "10.0.0.1",
    }


class TestNestedNames:
    def test_the_environment_beats_the_file(self) -> None:
        loaded = settings("listen: {port: 1, host: '::1'}", with_(LISTEN__PORT="2"))
        assert (loaded.listen.port, loaded.listen.host) == (2, "::1")

    def test_accounts(self) -> None:
        environ = {
            "ZOOM_GATEWAY_ACCOUNTS__SALES_EU__ACCOUNT_ID": "123",
            "ZOOM_GATEWAY_ACCOUNTS__SALES_EU__APPS": '[{"client_id": "c", "client_secret": "s"}]',
        }
        account = settings(None, environ).accounts["sales_eu"]
        assert account.account_id == "123"
        assert [app.name for app in account.apps] == ["default"]

    def test_a_whole_account_as_json(self) -> None:
        account = '{"account_id": "a", "apps": [{"client_id": "c", "client_secret": "s"}]}'
        loaded = settings(None, {"ZOOM_GATEWAY_ACCOUNTS__APPS": account})
        assert loaded.accounts["apps"].account_id == "a"

    def test_a_list_replaces_the_files(self) -> None:
        text = "accounts: {default: {apps: [{name: a, client_id: a, client_secret: s}]}}"
        apps = '[{"name": "b", "client_id": "b", "client_secret": "s", "token_indexes": [1]}]'
        loaded = settings(text, {"ZOOM_ACCOUNT_ID": "i", APPS: apps})
        [app] = loaded.accounts["default"].apps
        assert (app.name, app.token_indexes) == ("b", (1,))

    @pytest.mark.parametrize("flipped", [False, True])
    def test_a_place_changes_one_item_of_a_list(self, *, flipped: bool) -> None:
        items = [
            (APPS, '[{"client_id": "a", "client_secret": "s"}]'),
            (f"{APPS}__0__CLIENT_ID", "0123"),
            (f"{APPS}__0__TOKEN_INDEXES", "[0, 1]"),
            (f"{APPS}__1", '{"name": "second", "client_id": "c"}'),
            (f"{APPS}__1__CLIENT_SECRET", "12e4"),
        ]
        environ = {"ZOOM_ACCOUNT_ID": "i"} | dict(reversed(items) if flipped else items)
        first, second = settings(None, environ).accounts["default"].apps
        assert (first.name, first.client_id, first.token_indexes) == ("default", "0123", (0, 1))
        assert (second.name, second.client_id) == ("second", "c")
        assert second.credentials().client_secret.reveal() == "12e4"

    def test_a_place_changes_an_item_of_the_files_list(self, tmp_path: Path) -> None:
        text = "accounts: {default: {account_id: i, apps: [{client_id: a, client_secret_file: x}]}}"
        (tmp_path / "s").write_text("s")
        environ = {f"{APPS}__0__CLIENT_SECRET_FILE": str(tmp_path / "s")}
        [app] = settings(text, environ).accounts["default"].apps
        assert app.client_id == "a"
        assert app.client_secret_file == tmp_path / "s"

    def test_a_place_beyond_the_end_leaves_holes_that_are_named(self) -> None:
        environ = SHORT | {f"{APPS}__2__NAME": "c", f"{APPS}__2__CLIENT_ID": "c"}
        lines = problems(None, environ)
        assert [line.partition(": ")[0] for line in lines] == [
            "accounts.default.apps[1].name",
            "accounts.default.apps[1].client_id",
            "accounts.default.apps[1].client_secret",
            "accounts.default.apps[2].client_secret",
        ]

    @pytest.mark.parametrize("secret", ['{"a": 1}', "[1]", "5"])
    def test_text_that_looks_like_json_stays_text(self, secret: str) -> None:
        environ = {
            "ZOOM_ACCOUNT_ID": "i",
            f"{APPS}__0__CLIENT_ID": "c",
            f"{APPS}__0__CLIENT_SECRET": secret,
        }
        [app] = settings(None, environ).accounts["default"].apps
        assert app.credentials().client_secret.reveal() == secret

    def test_a_place_in_any_list_takes_json(self) -> None:
        rule = '{"name": "all", "callers": {"networks": ["10.0.0.0/8"]}}'
        loaded = settings(None, with_(ACCESS__RULES__0=rule, ACCESS__RULES__0__METHODS='["GET"]'))
        [found] = loaded.access.rules
        assert (found.name, found.methods) == ("all", ("GET",))
        assert found.callers.networks == ("10.0.0.0/8",)

    @pytest.mark.parametrize("value", ["[bad", "bad", "5", "[" * 100_000])
    def test_what_is_no_json_list_is_refused_with_its_variable(self, value: str) -> None:
        assert problem(None, {"ZOOM_ACCOUNT_ID": "i", APPS: value}) == (
            f"accounts.default.apps (from {APPS}): must be a list of at least one app, as JSON"
        )

    def test_a_place_in_what_is_no_list(self) -> None:
        environ = {"ZOOM_ACCOUNT_ID": "i", APPS: "bad", f"{APPS}__0__CLIENT_ID": "c"}
        assert "must be a list of at least one app" in problem(None, environ)

    def test_an_empty_variable_counts_as_unset(self) -> None:
        loaded = settings("listen: {port: 1}", with_(LISTEN__PORT="", LOG__NONE=""))
        assert loaded.listen.port == 1

    def test_small_letters_after_the_prefix_are_the_same(self) -> None:
        assert settings(None, with_(Listen__port="3")).listen.port == 3

    def test_a_wrong_value_names_its_variable(self) -> None:
        assert problem(None, with_(LISTEN__PORT="x")) == (
            "listen.port (from ZOOM_GATEWAY_LISTEN__PORT): must be a port, 0 to 65535"
        )


class TestNamesThatAreNoKeys:
    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("LISTNE__PORT", "did you mean ZOOM_GATEWAY_LISTEN__PORT?"),
            ("LISTEN__PROT", "did you mean ZOOM_GATEWAY_LISTEN__PORT?"),
            ("_LISTEN__PORT", "did you mean ZOOM_GATEWAY_LISTEN__PORT?"),
            (
                "LOG__QQQ",
                "known here are "
                + ", ".join(f"ZOOM_GATEWAY_LOG__{key}" for key in ("FORMAT", "LEVEL", "SAMPLE")),
            ),
            ("LOG__LEVEL__X", "ZOOM_GATEWAY_LOG__LEVEL has nothing below it"),
            ("ACCOUNTS__A__APPS__X", "known here are ZOOM_GATEWAY_ACCOUNTS__A__APPS__N"),
            ("ACCOUNTS__A__APPS__1000__NAME", "known here are ZOOM_GATEWAY_ACCOUNTS__A__APPS__N"),
            (
                "ACCOUNTS__A__APPS__0__CLIENT_SECRETS",
                "did you mean ZOOM_GATEWAY_ACCOUNTS__A__APPS__0__CLIENT_SECRET?",
            ),
        ],
    )
    def test_are_refused_with_the_nearest(self, name: str, hint: str) -> None:
        line = problem(None, with_(**{name: SECRET}))
        assert line == f"ZOOM_GATEWAY_{name}: names no key: {hint}"

    def test_what_kubernetes_injects_is_not_looked_at(self) -> None:
        injected = with_(
            PORT="tcp://10.0.0.1:8080",
            SERVICE_HOST="10.0.0.1",
            SERVICE_PORT="8080",
            PORT_8080_TCP="tcp://10.0.0.1:8080",
            PORT_8080_TCP_ADDR="10.0.0.1",
            LISTEN="x",
            LOG="x",
        )
        assert settings(None, injected) == settings()

    @pytest.mark.parametrize("service", ["ZOOM_GATEWAY__X", "ZOOM_GATEWAY_LISTEN__PORT"])
    def test_what_kubernetes_injects_for_two_dashes_in_a_row_is_passed_over(
        self, service: str
    ) -> None:
        injected = SHORT | service_variables(service)
        assert settings(None, injected) == settings()

    @pytest.mark.parametrize("missing", ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"])
    def test_less_than_kubernetes_injects_is_somebodys_mistake(self, missing: str) -> None:
        injected = SHORT | service_variables("ZOOM_GATEWAY_LISTEN__X")
        del injected[f"ZOOM_GATEWAY_LISTEN__X{missing}"]
        assert all("names no key" in line for line in problems(None, injected))

    @pytest.mark.parametrize("name", ["ZOOM_GATEWAY_PORT__X", "ZOOM_GATEWAY__X_PORTS", "_SERVICE_"])
    def test_a_service_excuses_no_other_name(self, name: str) -> None:
        injected = SHORT | service_variables("ZOOM_GATEWAY") | service_variables("ZOOM_GATEWAY__X")
        name = f"ZOOM_GATEWAY__X{name}" if name.startswith("_") else name
        assert problem(None, injected | {name: "1"}).startswith(f"{name}: names no key")

    def test_other_programs_variables_are_not_looked_at(self) -> None:
        environ = SHORT | {"ZOOM__X": "1", "OTHER__LISTEN__PORT": "1", "LISTEN__PORT": "2"}
        assert settings(None, environ) == settings()


class TestTheShortVariables:
    def test_are_a_complete_configuration(self) -> None:
        loaded = settings()
        [(name, account)] = loaded.accounts.items()
        [app] = account.apps
        assert (name, account.account_id) == ("default", "acc-1")
        assert (app.name, app.client_id, app.token_indexes) == ("default", "client-1", (0,))
        assert app.credentials().client_secret.reveal() == SECRET

    def test_a_file_of_the_secret(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        path.write_text(f"{SECRET}\n")
        environ = {
            "ZOOM_ACCOUNT_ID": "a",
            "ZOOM_CLIENT_ID": "b",
            "ZOOM_CLIENT_SECRET_FILE": str(path),
        }
        [app] = settings(None, environ).accounts["default"].apps
        assert app.credentials().client_secret.reveal() == SECRET

    def test_the_long_names_win(self) -> None:
        environ = SHORT | {
            "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__ACCOUNT_ID": "long",
            f"{APPS}__0__CLIENT_ID": "long-client",
            f"{APPS}__0__CLIENT_SECRET": "long-secret",
        }
        account = settings(None, environ).accounts["default"]
        [app] = account.apps
        assert (account.account_id, app.client_id) == ("long", "long-client")
        assert app.credentials().client_secret.reveal() == "long-secret"

    def test_they_fill_what_the_file_leaves_unset(self) -> None:
        text = "accounts: {default: {account_id: file, apps: [{token_indexes: [0, 1]}]}}"
        account = settings(text).accounts["default"]
        [app] = account.apps
        assert account.account_id == "file"
        assert (app.client_id, app.token_indexes) == ("client-1", (0, 1))

    def test_a_secret_of_the_file_in_either_form_wins(self, tmp_path: Path) -> None:
        (tmp_path / "s").write_text("file")
        text = f"accounts: {{default: {{apps: [{{client_secret_file: {tmp_path}/s}}]}}}}"
        [app] = settings(text).accounts["default"].apps
        assert app.credentials().client_secret.reveal() == "file"

    def test_complete_they_add_the_default_account_to_others(self) -> None:
        other = "{account_id: o, apps: [{name: blue, client_id: o, client_secret: s}]}"
        assert set(settings(f"accounts: {{sales: {other}}}").accounts) == {"default", "sales"}

    def test_they_add_no_app_to_the_files_list(self) -> None:
        text = "accounts: {default: {apps: [{name: blue, client_id: o, client_secret: s}]}}"
        account = settings(text).accounts["default"]
        assert account.account_id == "acc-1"
        [app] = account.apps
        assert (app.name, app.client_id) == ("blue", "o")

    @pytest.mark.parametrize(
        "variables",
        [
            {APPS: '[{"name": "blue", "client_id": "o", "client_secret": "s"}]'},
            {
                f"{APPS}__0__NAME": "blue",
                f"{APPS}__0__CLIENT_ID": "o",
                f"{APPS}__0__CLIENT_SECRET": "s",
            },
        ],
    )
    def test_they_add_no_app_to_the_variables_list(self, variables: dict[str, str]) -> None:
        account = settings(None, SHORT | variables).accounts["default"]
        assert (account.account_id, [app.name for app in account.apps]) == ("acc-1", ["blue"])

    def test_they_complete_the_default_app_of_a_list(self) -> None:
        blue = "{name: blue, client_id: o, client_secret: s}"
        text = f"accounts: {{default: {{apps: [{blue}, {{name: default}}]}}}}"
        apps = settings(text).accounts["default"].apps
        assert [(app.name, app.client_id) for app in apps] == [
            ("blue", "o"),
            ("default", "client-1"),
        ]

    def test_they_do_not_fill_an_empty_list(self) -> None:
        assert problem("accounts: {default: {apps: []}}") == (
            "accounts.default.apps: must be a list of at least one app"
        )

    @pytest.mark.parametrize("stray", SHORT)
    def test_a_stray_one_does_no_harm_to_other_accounts_and_apps(self, stray: str) -> None:
        other = "{account_id: o, apps: [{name: blue, client_id: o, client_secret: s}]}"
        environ = {stray: SHORT[stray]}
        assert set(settings(f"accounts: {{sales: {other}}}", environ).accounts) == {"sales"}
        [app] = settings(f"accounts: {{default: {other}}}", environ).accounts["default"].apps
        assert app.name == "blue"

    @pytest.mark.parametrize("missing", SHORT)
    def test_a_missing_one_is_asked_for(self, missing: str) -> None:
        environ = {name: value for name, value in SHORT.items() if name != missing}
        line = problem(None, environ)
        assert line.startswith("accounts.default.")
        assert "is missing" in line
        assert line.endswith(f"or the variable {missing}")

    @pytest.mark.parametrize("environ", [{}, dict.fromkeys(SHORT, "")])
    def test_none_at_all(self, environ: dict[str, str]) -> None:
        assert problem(None, environ).startswith("accounts: must hold at least one account: set ")

    @pytest.mark.parametrize(
        "text",
        [
            "accounts: []",
            "accounts: {default: 5}",
            "accounts: {default: {apps: 5}}",
            "accounts: {default: {apps: [5]}}",
        ],
    )
    def test_shapes_they_cannot_fill_are_the_files_problem(self, text: str) -> None:
        assert any("must be a" in line for line in problems(text))
