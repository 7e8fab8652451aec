"""Which failures of a body's file are told of one by one."""

import errno
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.settings import load
from gateway.wiring.lines import Lines
from gateway.wiring.spooling import Spooling

CREDENTIALS = {
    "ZOOM_ACCOUNT_ID": "account",
    "ZOOM_CLIENT_ID": "client",
    "ZOOM_CLIENT_SECRET": "secret",
}


def spooling(directory: Path) -> Spooling:
    settings = load(None, {**CREDENTIALS, "ZOOM_GATEWAY_REPLAY__DIR": str(directory)})
    return Spooling(settings, Lines(structlog.get_logger(), sample=1.0))


async def test_what_was_told_at_the_start_is_not_told_again_but_another_fault_is() -> None:
    with capture_logs() as lines:
        made = spooling(Path("/proc"))
        made.tell()
        made.config.failed(OSError(errno.ENOENT, "No such file or directory"))
        made.config.failed(OSError(errno.ENOSPC, "No space left on device"))
    assert [line["event"] for line in lines] == ["no_replay_directory", "body_not_kept"]
    assert lines[1]["reason"] == "No space left on device"


async def test_a_disk_that_is_full_at_the_start_is_told_of_when_it_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("gateway.wiring.spooling.refusal", lambda _: full)
    with capture_logs() as lines:
        made = spooling(tmp_path)
        made.tell()
        assert lines == []
        made.config.failed(full)
    assert [line["event"] for line in lines] == ["body_not_kept"]
