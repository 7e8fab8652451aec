"""What tests start and may not find: then they are skipped, but for CI, where it must be."""

import os
import shutil
from typing import NoReturn

import pytest


def unavailable(reason: str) -> NoReturn:
    """End the test: it cannot be done here."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str, path: str | None = None) -> str:
    """Where a program is that `make test-deps` installs."""
    found = shutil.which(name, path=path)
    if found is None:
        unavailable(f"{name} is not installed: make test-deps")
    return found
