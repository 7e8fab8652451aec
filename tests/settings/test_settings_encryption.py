"""The keys that encrypt the tokens in the store: files, and what they may hold."""

import base64
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.secret import Secret
from tests.settings.configured_store import loaded, store, wrong

KEY = bytes(range(200, 232))


class TestEncryptionKeys:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "store.key"

    @pytest.mark.parametrize(
        "content",
        [
            KEY,
            b" " * 31 + b"\n",
            base64.b64encode(KEY),
            base64.b64encode(KEY) + b"\n",
            b"\n  " + base64.b64encode(KEY).rstrip(b"=") + b"\r\n",
            base64.urlsafe_b64encode(KEY) + b"\n",
            KEY.hex().encode() + b"\n",
            KEY.hex().upper().encode(),
        ],
    )
    def test_the_forms_of_one(self, content: bytes, file: Path) -> None:
        file.write_bytes(content)
        expected = content if len(content) == 32 else KEY
        made = store(encryption_key_file=file)
        assert made.encryption_keys() == (Secret(expected.hex()), None)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\n",
            KEY[:31],
            KEY + b"\n",
            KEY * 2,
            base64.b64encode(KEY[:25]),
            base64.b64encode(KEY + b"x"),
            base64.b64encode(KEY)[:-2] + b"!=",
            KEY.hex().encode()[:-2],
            KEY.hex().encode()[:-1] + b"g",
            b"ff" * 33,
        ],
    )
    @pytest.mark.parametrize("key", ["encryption_key_file", "previous_encryption_key_file"])
    def test_what_is_none(self, key: str, content: bytes, file: Path) -> None:
        file.write_bytes(content)
        assert wrong(**{key: file}) == (
            f"{key} (from ZOOM_GATEWAY_STORE__{key.upper()}): {file} holds {len(content)} bytes"
            " that are no key: it must hold 32 bytes, raw, in base64 or in hexadecimal digits;"
            " make one with: openssl rand -base64 32"
        )

    def test_a_file_that_is_not_there(self, file: Path) -> None:
        line = wrong(encryption_key_file=file)
        assert line.endswith(f"{file} cannot be read: No such file or directory")

    def test_a_file_that_is_too_large(self, file: Path) -> None:
        file.write_bytes(b"x" * 70_000)
        assert "larger than 65536 bytes" in wrong(encryption_key_file=file)

    @pytest.mark.parametrize("text", [KEY.hex(), base64.b64encode(KEY).decode()])
    def test_the_key_itself_is_not_shown(self, text: str) -> None:
        line = wrong(encryption_key_file=text)
        assert line.endswith("if it is the key itself, put it into a file and name that")
        assert text not in line

    def test_a_path_that_looks_like_a_key(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("k" * 43).write_bytes(KEY)
        assert store(encryption_key_file="k" * 43).encryption_keys()[0] == Secret(KEY.hex())

    def test_the_previous_alone_is_to_read_with(self, file: Path) -> None:
        file.write_bytes(KEY)
        made = store(previous_encryption_key_file=file)
        assert made.encryption_keys() == (None, Secret(KEY.hex()))

    def test_they_are_of_use_with_every_store(self, file: Path) -> None:
        file.write_bytes(KEY)
        for url in ("memory:", "file:///x", "redis://h"):
            assert store(url=url, encryption_key_file=file).encryption_keys()[0] is not None

    def test_files_that_are_gone_later(self, file: Path) -> None:
        file.write_bytes(KEY)
        made = store(encryption_key_file=file, previous_encryption_key_file=file)
        file.unlink()
        with pytest.raises(ConfigurationError) as caught:
            made.encryption_keys()
        assert caught.value.problems == [
            f"store.{key}: {file} cannot be read: No such file or directory"
            for key in ("encryption_key_file", "previous_encryption_key_file")
        ]

    def test_none_is_shown(self, file: Path) -> None:
        file.write_bytes(KEY)
        made = loaded(encryption_key_file=file)
        assert made.describe()["store"]["encryption_key_file"] == str(file)
        assert KEY.hex() not in repr(made) + repr(made.store.encryption_keys())
