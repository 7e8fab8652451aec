"""Keys that are read again while the gateway runs."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.keys import Keys
from gateway.settings import Settings
from gateway.wiring import access
from gateway.wiring.key_files import KeyFiles
from tests.settings.configured import settings
from tests.support.listening import until

KEY, NEXT = "first-key-0123456789", "next-key-0123456789a"


def unexpected(what: object) -> None:
    raise AssertionError(what)


def loaded(**keys: dict[str, str]) -> Settings:
    return settings(json.dumps({"access": {"keys": keys}}))


async def test_a_file_is_read_again_and_a_fault_is_told_once(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    told: list[str] = []
    files = KeyFiles(loaded(a={"key_file": str(file)}), told.append, unexpected, 0.01)
    files.start()
    try:
        assert files.current().name_of(KEY.encode()) == "a"
        file.write_text("short")
        await until(lambda: told)
        assert files.current().name_of(KEY.encode()) == "a"
        file.write_text(NEXT)
        await until(lambda: files.current().name_of(NEXT.encode()))
        assert files.current().name_of(KEY.encode()) is None
        assert len(told) == 1
        assert "too short" in told[0]
        file.unlink()
        await until(lambda: len(told) == 2)
        assert str(file) in told[1]
    finally:
        await files.close()


async def test_keys_without_files_are_not_looked_at() -> None:
    files = KeyFiles(loaded(a={"key": KEY}), unexpected, unexpected, 0.0)
    before = asyncio.all_tasks()
    files.start()
    assert asyncio.all_tasks() == before
    await files.close()


async def test_a_fault_of_our_own_is_told_and_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    defects: list[BaseException] = []
    files = KeyFiles(loaded(a={"key_file": str(file)}), unexpected, defects.append, 0.01)

    def broken(_: Settings) -> Keys:
        raise LookupError

    with monkeypatch.context() as patch:
        patch.setattr(access, "keys", broken)
        files.start()
        await until(lambda: len(defects) > 1)
    file.write_text(NEXT)
    await until(lambda: files.current().name_of(NEXT.encode()))
    await files.close()


def test_a_file_that_is_gone_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    made = loaded(a={"key_file": str(file)})
    file.unlink()
    with pytest.raises(ConfigurationError):
        KeyFiles(made, unexpected, unexpected)
