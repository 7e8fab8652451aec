"""The file: what it may be, and what is said when it cannot be used."""

import os
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.settings import load
from tests.settings.configured import SECRET, SHORT, problem, problems, settings


def refusal(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path, SHORT)
    return caught.value.problems


def test_a_file_beats_the_defaults() -> None:
    loaded = settings("listen: {port: 8000}\nlog:\n  level: debug\n")
    assert (loaded.listen.port, loaded.listen.host) == (8000, "127.0.0.1")
    assert loaded.log.level == "debug"


def test_no_file_is_the_environment_alone() -> None:
    assert load(None, SHORT).listen.port == 8080


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert refusal(path) == [f"{path}: cannot be read: No such file or directory"]


def test_a_directory(tmp_path: Path) -> None:
    assert refusal(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]


def test_a_path_that_is_none() -> None:
    [line] = refusal(Path("a\0b"))
    assert "null character" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.touch(mode=0o000)
    assert refusal(path) == [f"{path}: cannot be read: Permission denied"]


@pytest.mark.parametrize("text", ["", "# a comment\n", "---\n"])
def test_an_empty_file(text: str) -> None:
    assert "gateway.yaml: " in problem(text)


@pytest.mark.parametrize("text", ["- listen", "listen", "5"])
def test_not_a_mapping(text: str) -> None:
    assert problem(text).endswith("must be a mapping of keys, such as listen: {port: 8080}")


def test_not_yaml_is_placed_by_line_and_column() -> None:
    line = problem("listen:\n  port: 8080: 1\n")
    assert "line 2, column 13: is not valid YAML: mapping values are not allowed" in line


@pytest.mark.parametrize(
    "text",
    [
        f"client_secret: *{SECRET}",
        f"client_secret: !{SECRET} x",
        f"client_secret: !!int {SECRET}",
        f"client_secret: [{SECRET}",
        f"client_secret: %{SECRET}",
        f"client_secret: '{SECRET}",
        f"client_secret: {SECRET}\x01",
        f"{{client_secret: {SECRET}, [1]: 2}}",
        f"a: 1\n---\nclient_secret: {SECRET}",
        f"store: {{url: 'redis://:{SECRET}@h/x'}}",
        f"store: {{url: 'redis://:{SECRET}'}}",
        f"store: {{url: 'redis://:a/{SECRET}@h'}}",
        f"store: {{url: 'redis://h/{SECRET}'}}",
        f"store: {{url: 'redis+sentinel://:{SECRET}@h'}}",
        f"store: {{url: 'redis://h', password: [{SECRET}]}}",
        f"store: {{url: 'redis://h', password_file: {SECRET}}}",
        f"store: {{password: {SECRET}}}",
        f"store: {{encryption_key_file: {SECRET}}}",
        f"upstream: {{api_url: 'https://{SECRET}@h'}}",
        f"log: {{level: {SECRET}}}",
        f"listen: {{port: {SECRET}}}",
        f"listen: {SECRET}",
        f"accounts: {{default: {{apps: [{SECRET}]}}}}",
        f"accounts: {{default: {{apps: [{{client_secret: {{a: {SECRET}}}}}]}}}}",
        f'accounts: {{default: {{apps: [{{client_secret: "{SECRET}\\0{SECRET}"}}]}}}}',
        f"accounts: {{default: {{apps: [{{client_id: 'a:{SECRET}'}}]}}}}",
        f"accounts: {{default: {{apps: [{{client_secret_file: {SECRET}}}]}}}}",
    ],
)
def test_no_problem_shows_a_secret_in_the_wrong_place(text: str) -> None:
    assert problems(text)


def test_not_utf_8() -> None:
    assert problem("a: \udcff").endswith("is not text in UTF-8")


def test_a_byte_order_mark_does_no_harm() -> None:
    assert settings("\ufefflisten: {port: 1}").listen.port == 1


def test_a_control_character_is_placed() -> None:
    assert "line 2: a control character" in problem("a: 1\nb: \x02\n")


def test_all_keys_that_are_there_twice() -> None:
    lines = problems("listen:\n  port: 1\n  port: 2\nlog: {}\nlog: {}\n")
    assert [line.partition(": ")[2] for line in lines] == [
        "line 3: the key port is there twice",
        "line 5: the key log is there twice",
    ]


def test_keys_are_text() -> None:
    assert "line 1: a key is not plain text" in problem("~: 1")
    assert "line 1: a key is not plain text" in problem("[a]: 1")
    assert "line 1: a key is not plain text" in problem('"a\\nb": 1')
    assert "5: is not a key" in problem("5: 1")


def test_a_key_without_a_value_counts_as_unset() -> None:
    loaded = settings("listen:\nlog:\n  level:\n  format: console\nadmin: {port: ~}\n")
    assert loaded.log.level == "info"
    assert loaded.listen.port == 8080
    assert loaded.admin.port == 9090


def test_plain_values_are_what_they_look_like() -> None:
    loaded = settings(
        "accounts: {default: {account_id: 0123, apps: [{client_id: 12e4, client_secret: yes}]}}",
        {},
    )
    app = loaded.accounts["default"].apps[0]
    assert loaded.accounts["default"].account_id == "0123"
    assert app.client_id == "12e4"
    assert app.credentials().client_secret.reveal() == "yes"


@pytest.mark.timeout(20)
def test_aliases_of_aliases_are_no_work_without_end() -> None:
    levels = [f"x{one + 1}: &x{one + 1} [{', '.join([f'*x{one}'] * 9)}]" for one in range(12)]
    text = "\n".join(["x0: &x0 [a]", *levels])
    assert "x12: is not a key" in "\n".join(problems(text))


def test_aliases_and_merges_work() -> None:
    loaded = settings("listen: &a {host: '::1'}\nadmin:\n  <<: *a\n  port: 1\n")
    assert (loaded.admin.host, loaded.admin.port) == ("::1", 1)


@pytest.mark.parametrize("text", ["a: !!int x", "a: !!timestamp b", "a: !b c", "a: !!python/x"])
def test_tags_are_refused(text: str) -> None:
    assert "line 1, column 4: a value that begins with !" in problem(text)


@pytest.mark.parametrize("text", ["listen: &a {port: *a}", "listen: " + "[" * 5000])
def test_what_has_no_end_is_refused(text: str) -> None:
    assert problem(text).endswith("is nested too deeply, or holds itself by an alias")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("listne: {}", "listne: is not a key: did you mean listen?"),
        ("listen: {prot: 1}", "listen.prot: is not a key: did you mean port?"),
        ("log: {qqq: 1}", "log.qqq: is not a key: known here: format, level"),
        ("_env_file: x", "_env_file: is not a key: known here: listen, admin, tls, access,"),
        (
            "accounts: {default: {apps: [{token_index: [0]}]}}",
            "accounts.default.apps[0].token_index: is not a key: did you mean token_indexes?",
        ),
    ],
)
def test_an_unknown_key_brings_the_nearest_one(text: str, line: str) -> None:
    assert problem(text).startswith(line)


def test_a_broken_file_is_said_together_with_wrong_variables() -> None:
    lines = problems("a: b: c", {"ZOOM_GATEWAY_LOG__LEVLE": "info"})
    assert len(lines) == 2
    assert "ZOOM_GATEWAY_LOG__LEVEL" in lines[1]
