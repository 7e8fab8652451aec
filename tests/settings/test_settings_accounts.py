"""Accounts, apps and their secrets, as values and as files."""

import os
from pathlib import Path

import pytest

from gateway.core.credentials import AppCredentials
from gateway.core.errors import ConfigurationError
from gateway.core.secret import Secret
from gateway.settings import AppSettings, Settings
from tests.settings.configured import SECRET, problem, problems, settings


def one_app(keys: str) -> str:
    return f"accounts: {{default: {{account_id: i, apps: [{{client_id: c, {keys}}}]}}}}"


def app_of(keys: str) -> AppSettings:
    return settings(one_app(keys), {}).accounts["default"].apps[0]


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


class TestAccounts:
    @pytest.mark.parametrize("name", ["default", "0", "a-b_c", "a" * 63])
    def test_good_names(self, name: str) -> None:
        account = "{account_id: i, apps: [{client_id: c, client_secret: s}]}"
        assert list(settings(f"accounts: {{{name}: {account}}}", {}).accounts) == [name]

    @pytest.mark.parametrize("name", ["Default", "a b", "-a", "_a", "a.b", "a/b", "a" * 64, "ä"])
    def test_bad_names(self, name: str) -> None:
        account = "{account_id: i, apps: [{client_id: c, client_secret: s}]}"
        line = problem(f"accounts: {{{name}: {account}}}", {})
        shown = "…" if name in {"a b", "a/b", "ä"} else name
        assert line.startswith(f"accounts.{shown}: an account's name has 1 to 63 of a-z")

    @pytest.mark.parametrize("value", ["...", "<account id>", "${ID}", "your_account_id", "'  '"])
    def test_placeholders_are_to_be_filled_in(self, value: str) -> None:
        text = f"accounts: {{default: {{account_id: '{value.strip(chr(39))}', apps: [{{}}]}}}}"
        assert "placeholder: fill in the account id" in problem(text)
        line = problem(one_app("client_secret: s").replace("client_id: c", f"client_id: {value!r}"))
        assert "placeholder: fill in the client id" in line

    def test_ids_are_one_word(self) -> None:
        assert "without spaces" in problem("accounts: {default: {account_id: a b, apps: [{}]}}")

    @pytest.mark.parametrize("value", ["a b", "a:b", "ä"])
    def test_client_ids_fit_basic_authentication(self, value: str) -> None:
        text = one_app("client_secret: s").replace("client_id: c", f"client_id: '{value}'")
        assert "without spaces or colons" in problem(text)

    def test_there_must_be_an_app(self) -> None:
        line = problem("accounts: {default: {account_id: i, apps: []}}", {})
        assert line == "accounts.default.apps: must be a list of at least one app"

    def test_apps_differ_in_name_and_client_id(self) -> None:
        text = """
            accounts:
              default:
                account_id: i
                apps:
                  - {name: a, client_id: x, client_secret: s}
                  - {name: b, client_id: y, client_secret: s}
                  - {name: a, client_id: y, client_secret: s}
              other:
                account_id: i
                apps: [{name: a, client_id: x, client_secret: s}]
        """
        assert problems(text, {}) == [
            "accounts.default.apps[2].name: is the same as that of apps[0]: it must differ",
            "accounts.default.apps[2].client_id: is the same as that of apps[1]: it must differ",
        ]

    def test_an_apps_name_is_a_label(self) -> None:
        assert "apps[0].name: must be 1 to 63 letters" in problem(
            one_app("name: a/b, client_secret: s"), {}
        )

    @pytest.mark.parametrize("value", ["[]", "[0, 0]", "[-1]", "[x]", "[1.5]", "0", "[[0]]"])
    def test_token_indexes_are_different_whole_numbers(self, value: str) -> None:
        line = problem(one_app(f"client_secret: s, token_indexes: {value}"), {})
        assert line.startswith("accounts.default.apps[0].token_indexes: must ")

    def test_a_truth_is_no_index(self) -> None:
        apps = '[{"client_id": "c", "client_secret": "s", "token_indexes": [true]}]'
        environ = {"ZOOM_ACCOUNT_ID": "i", "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS": apps}
        assert "token_indexes: must be a whole number" in problem(None, environ)

    def test_json_numbers_are_no_text(self) -> None:
        apps = '[{"client_id": 5, "client_secret": 6}]'
        environ = {"ZOOM_ACCOUNT_ID": "i", "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS": apps}
        assert [line.partition(": ")[2] for line in problems(None, environ)] == [
            "must be text",
            "must be text: put it in quotes",
        ]


class TestSecrets:
    def test_a_value(self) -> None:
        assert app_of(f"client_secret: '  {SECRET} '").credentials() == AppCredentials(
            client_id="c", client_secret=Secret(SECRET), previous_client_secret=None
        )

    def test_a_file_and_its_last_newline(self, secret_file: Path) -> None:
        app = app_of(f"client_secret_file: {secret_file}")
        assert app.credentials().client_secret.reveal() == SECRET

    def test_a_file_is_read_afresh(self, secret_file: Path) -> None:
        app = app_of(f"client_secret_file: {secret_file}")
        secret_file.write_text("rotated")
        assert app.credentials().client_secret.reveal() == "rotated"

    def test_previous_secrets(self, secret_file: Path) -> None:
        by_value = app_of("client_secret: s, previous_client_secret: old")
        assert by_value.credentials().previous_client_secret == Secret("old")
        by_file = app_of(f"client_secret: s, previous_client_secret_file: {secret_file}")
        assert by_file.credentials().previous_client_secret == Secret(SECRET)

    @pytest.mark.parametrize("key", ["client_secret_file", "previous_client_secret_file"])
    def test_a_file_that_is_gone_later(self, key: str, secret_file: Path) -> None:
        other = "" if key == "client_secret_file" else "client_secret: s, "
        app = app_of(f"{other}{key}: {secret_file}")
        secret_file.unlink()
        with pytest.raises(ConfigurationError) as caught:
            app.credentials()
        assert caught.value.problems == [
            f"app default: {key}: {secret_file} cannot be read: No such file or directory"
        ]

    def test_a_secret_as_such(self) -> None:
        app = AppSettings(client_id="c", client_secret=Secret(SECRET))
        assert app.credentials().client_secret.reveal() == SECRET

    def test_settings_made_without_checks_have_no_credentials(self) -> None:
        app = AppSettings.model_construct(name="a", client_id="c")
        with pytest.raises(ConfigurationError, match="no client secret"):
            app.credentials()

    @pytest.mark.parametrize("prefix", ["", "previous_"])
    def test_not_both(self, prefix: str, secret_file: Path) -> None:
        keys = f"{prefix}client_secret: s, {prefix}client_secret_file: {secret_file}"
        line = problem(one_app(keys if not prefix else f"client_secret: s, {keys}"), {})
        assert line == (
            f"accounts.default.apps[0].{prefix}client_secret_file:"
            f" is one too many: {prefix}client_secret is set, too; keep one of the two"
        )

    def test_not_none(self) -> None:
        assert problem(one_app("name: a"), {}) == (
            "accounts.default.apps[0].client_secret: is missing: set it or client_secret_file,"
            " or the variable ZOOM_CLIENT_SECRET"
        )

    @pytest.mark.parametrize(
        ("value", "hint"),
        [
            ('""', "is empty"),
            ('"  "', "is empty"),
            ("...", "is a placeholder"),
            (f'"{SECRET}\\n{SECRET}"', "must be one line"),
            (f'"{SECRET}\\0"', "must be one line"),
            (f"[{SECRET}]", "must be text"),
        ],
    )
    def test_a_wrong_value_is_one_problem(self, value: str, hint: str) -> None:
        line = problem(one_app(f"client_secret: {value}"), {})
        assert line.startswith(f"accounts.default.apps[0].client_secret: {hint}")

    @pytest.mark.parametrize(
        ("content", "hint"),
        [
            (b"", ": its content is empty"),
            (b"\n\n", ": its content is empty"),
            (b"a\nb", ": its content must be one line"),
            (b"\xff", " is not text in UTF-8"),
            (b"x" * 70_000, " is larger than 65536 bytes"),
        ],
    )
    def test_a_wrong_file(self, content: bytes, hint: str, secret_file: Path) -> None:
        secret_file.write_bytes(content)
        line = problem(one_app(f"client_secret_file: {secret_file}"), {})
        assert line.startswith(f"accounts.default.apps[0].client_secret_file: {secret_file}{hint}")

    def test_a_missing_file_and_a_directory(self, tmp_path: Path) -> None:
        line = problem(one_app(f"client_secret_file: {tmp_path}/none"), {})
        assert line.endswith(f"{tmp_path}/none cannot be read: No such file or directory")
        line = problem(one_app(f"client_secret_file: {tmp_path}"), {})
        assert line.endswith(f"{tmp_path} cannot be read: Is a directory")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_an_unreadable_file(self, secret_file: Path) -> None:
        secret_file.chmod(0)
        line = problem(one_app(f"client_secret_file: {secret_file}"), {})
        assert line.endswith("cannot be read: Permission denied")

    def test_a_path_that_is_none(self) -> None:
        assert "null character" in problem(one_app('client_secret_file: "/a\\0b"'), {})

    def test_the_secret_itself_instead_of_its_path_is_not_shown(self) -> None:
        line = problem(one_app(f"client_secret_file: {SECRET}"), {})
        assert line.endswith(
            "client_secret_file: the file cannot be read: No such file or directory"
        )


class TestNoSecretIsShown:
    @pytest.fixture
    def loaded(self) -> Settings:
        return settings(one_app(f"client_secret: {SECRET}, previous_client_secret: {SECRET}"), {})

    def test_in_no_form_of_the_settings(self, loaded: Settings) -> None:
        app = loaded.accounts["default"].apps[0]
        for shown in (
            repr(loaded),
            str(loaded),
            repr(app.credentials()),
            str(loaded.model_dump()),
            loaded.model_dump_json(),
            str(loaded.describe()),
        ):
            assert SECRET not in shown

    def test_described_they_are_masked_and_the_rest_is_plain(self, loaded: Settings) -> None:
        described = loaded.describe()
        assert described["listen"] == {
            "host": "127.0.0.1",
            "port": 8080,
            "socket_mode": "0660",
        }
        assert described["accounts"]["default"] == {
            "account_id": "i",
            "apps": [
                {
                    "name": "default",
                    "client_id": "c",
                    "client_secret": "***",
                    "previous_client_secret": "***",
                    "token_indexes": [0],
                }
            ],
            "ratelimit": {},
        }

    def test_a_copy_is_as_good(self, loaded: Settings) -> None:
        again = Settings(**{name: getattr(loaded, name) for name in Settings.model_fields})
        assert again == loaded
