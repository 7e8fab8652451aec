"""Loads a configuration given as text, through the public face."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gateway.core.errors import ConfigurationError
from gateway.settings import Settings, load

SECRET = "kD93-canary-SECRET-77xQ"

SHORT = {
    "ZOOM_ACCOUNT_ID": "acc-1",
    "ZOOM_CLIENT_ID": "client-1",
    "ZOOM_CLIENT_SECRET": SECRET,
}
"""A complete configuration."""


def settings(text: str | None = None, environ: Mapping[str, str] = SHORT) -> Settings:
    if text is None:
        return load(None, environ)
    with TemporaryDirectory() as directory:
        path = Path(directory) / "gateway.yaml"
        # Lone surrogates stand for bytes that are no text.
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return load(path, environ)


def problems(text: str | None = None, environ: Mapping[str, str] = SHORT) -> list[str]:
    """The problems of a configuration that must have some; none may show the secret."""
    with pytest.raises(ConfigurationError) as caught:
        settings(text, environ)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert all(problem and "\n" not in problem for problem in caught.value.problems)
    return caught.value.problems


def problem(text: str | None = None, environ: Mapping[str, str] = SHORT) -> str:
    """The one problem of a configuration."""
    [line] = problems(text, environ)
    return line
