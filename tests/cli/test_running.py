"""What a process does before it serves."""

import gc

import pytest
import structlog

from gateway.cli import running
from gateway.settings import Settings


def test_what_was_imported_is_not_looked_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    spared: list[int] = []

    async def serve(*_: object, **__: object) -> int:
        spared.append(gc.get_freeze_count())
        return 0

    monkeypatch.setattr(running, "serve", serve)
    gc.unfreeze()
    try:
        running.run(Settings.model_construct(), structlog.get_logger(), Settings.model_construct)
    finally:
        gc.unfreeze()
    assert spared[0] > 10_000
