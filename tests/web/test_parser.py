"""Only the strict one of aiohttp's parsers may read calls."""

import os
import subprocess
import sys

import pytest
from aiohttp import http_parser

from gateway.web.parser import weakness

_ACCOUNT = {
    "ZOOM_ACCOUNT_ID": "a",
    "ZOOM_CLIENT_ID": "b",
    "ZOOM_CLIENT_SECRET": "c",
    "PATH": os.environ["PATH"],
}


def test_the_parser_in_c_is_strict_enough() -> None:
    assert weakness() is None


def test_an_installation_without_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    problem = weakness()
    assert problem is not None
    assert problem.startswith("aiohttp: ")


@pytest.mark.parametrize("command", ["serve", "serve --workers 2", "check"])
def test_nothing_is_served_with_the_lenient_one(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *command.split()],
        env={**_ACCOUNT, "AIOHTTP_NO_EXTENSIONS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "AIOHTTP_NO_EXTENSIONS: do not set it" in done.stderr
