"""Where spans go: what may be said about it, and what must be there."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.core.secret import Secret
from gateway.settings.tracing import TracingSettings
from tests.settings.configured import SECRET, problem, settings


def tracing(**keys: Any) -> TracingSettings:
    return settings(json.dumps({"tracing": keys})).tracing


def wrong(**keys: Any) -> str:
    line = problem(json.dumps({"tracing": keys}))
    assert line.startswith("tracing.")
    return line


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://localhost:4318", "http://localhost:4318/v1/traces"),
        ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://otlp.example.com/tenant/v1/traces", "https://otlp.example.com/tenant/v1/traces"),
    ],
)
def test_the_collector(given: str, meant: str) -> None:
    assert tracing(endpoint=given).endpoint == meant


def test_there_is_none_unless_it_is_named() -> None:
    made = settings().tracing
    assert (made.endpoint, made.propagate, made.sample) == (None, False, 1.0)


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("endpoint", "collector:4318", "must be a URL such as http://localhost:4318"),
        ("endpoint", f"https://me:{SECRET}@collector", "must not hold a user name or password"),
        ("endpoint", f"https://collector/?token={SECRET}", "query"),
        ("sample", 1.1, "must be a share from 0 to 1"),
        ("sample", -0.1, "must be a share from 0 to 1"),
        ("sample", "nan", "must be a share from 0 to 1"),
        ("propagate", "perhaps", "must be true or false"),
        ("service_name", "two words", "letters, digits"),
        ("ca_file", "/none/such", "/none/such cannot be read"),
        ("headers_file", "/none/such", "/none/such cannot be read"),
    ],
)
def test_what_is_wrong_is_said(key: str, value: object, hint: str) -> None:
    assert hint in wrong(**{key: value})


def test_the_share_of_lines_is_one_too() -> None:
    assert settings("log: {sample: 0.25}").log.sample == 0.25
    assert "log.sample: must be a share from 0 to 1" in problem("log: {sample: 2}")


class TestHeaders:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "headers"

    def test_one_a_line_read_afresh(self, file: Path) -> None:
        file.write_text(f"Authorization: Bearer {SECRET}\n\n X-Scope : a:b \n")
        made = tracing(endpoint="http://127.0.0.1:1", headers_file=str(file))
        assert SECRET not in str(made)
        assert made.current_headers() == {
            "Authorization": Secret(f"Bearer {SECRET}"),
            "X-Scope": Secret("a:b"),
        }
        file.write_text("Authorization: another")
        assert made.current_headers() == {"Authorization": Secret("another")}
        file.unlink()
        with pytest.raises(ValueError, match=r"headers_file: .* cannot be read"):
            made.current_headers()

    @pytest.mark.parametrize(
        ("content", "hint"),
        [
            ("", "holds no header field"),
            (SECRET, "line 1: must be a header field"),
            (f"A: 1\n{SECRET}", "line 2: must be a header field"),
            (f"A:\n{SECRET}: ", "line 1: must be a header field"),
            (f": {SECRET}", "line 1: must be a header field"),
            (f"A B: {SECRET}", "line 1: must be a header field"),
            (f"A: {SECRET}\x01", "line 1: must be a header field"),
            (f"A: {SECRET}ä", "is not text in ASCII"),
        ],
    )
    def test_nothing_else_and_the_secret_is_not_shown(
        self, file: Path, content: str, hint: str
    ) -> None:
        file.write_text(content)
        assert hint in wrong(endpoint="http://127.0.0.1:1", headers_file=str(file))

    def test_never_in_clear_to_another_machine(self, file: Path) -> None:
        file.write_text(f"Authorization: {SECRET}")
        keys = {"headers_file": str(file)}
        tracing(endpoint="https://collector", **keys)
        tracing(**keys)
        assert "must begin with https://" in wrong(endpoint="http://collector:4318", **keys)
