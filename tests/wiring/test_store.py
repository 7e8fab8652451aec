"""The store that the settings name, and what is loaded for it."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError, StoreFormatError
from gateway.ports import NOTHING, TokenStore
from gateway.settings import Settings, load
from gateway.wiring.store import redis_options, token_store
from tests.settings import certificates

SHORT = {"ZOOM_ACCOUNT_ID": "a", "ZOOM_CLIENT_ID": "c", "ZOOM_CLIENT_SECRET": "s"}
SECRET = "kD93-canary-SECRET-77xQ"
DOCUMENT: dict[str, Any] = {
    "slots": [{"app": "a", "index": 0, "token": {"value": SECRET, "generation": 1}}]
}


def configured(**keys: object) -> Settings:
    return load(None, _environ(keys))


def _environ(keys: Mapping[str, object]) -> dict[str, str]:
    return SHORT | {f"ZOOM_GATEWAY_STORE__{k.upper()}": str(v) for k, v in keys.items()}


def made(settings: Settings) -> TokenStore:
    return token_store(settings, print)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "store.key"
    path.write_text("5e" * 32)
    return path


def loaded_by(**keys: object) -> set[str]:
    """The foreign packages in a process that has made the store of these keys."""
    program = (
        "import os, sys; from gateway.settings import load; from gateway import wiring;"
        "wiring.token_store(load(None, os.environ), print); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=_environ(keys), capture_output=True, check=True
    )
    return {"redis", "cryptography"} & set(done.stdout.decode().split())


class TestWhatIsLoaded:
    def test_neither_redis_nor_cryptography_without_need(self, tmp_path: Path) -> None:
        assert loaded_by() == set()
        assert loaded_by(url=f"file://{tmp_path}") == set()

    def test_cryptography_for_a_key(self, key_file: Path) -> None:
        assert loaded_by(encryption_key_file=key_file) == {"cryptography"}
        assert loaded_by(previous_encryption_key_file=key_file) == {"cryptography"}

    def test_redis_for_its_url(self) -> None:
        # Redis' client loads cryptography by itself where it is installed.
        assert "redis" in loaded_by(url="redis://h")


class TestSealing:
    async def test_with_a_key_the_tokens_are_sealed(self, tmp_path: Path, key_file: Path) -> None:
        url = f"file://{tmp_path}/tokens"
        store = made(configured(url=url, encryption_key_file=key_file))
        assert await store.write("default", DOCUMENT, revision=NOTHING)
        assert SECRET not in (tmp_path / "tokens" / "default.json").read_text()
        again = made(configured(url=url, previous_encryption_key_file=key_file))
        assert (await again.read("default")).document == DOCUMENT

    async def test_without_a_key_a_sealed_token_is_refused(
        self, tmp_path: Path, key_file: Path
    ) -> None:
        url = f"file://{tmp_path}/tokens"
        sealing = made(configured(url=url, encryption_key_file=key_file))
        assert await sealing.write("default", DOCUMENT, revision=NOTHING)
        with pytest.raises(StoreFormatError, match="this gateway has no key"):
            await made(configured(url=url)).read("default")

    def test_a_key_that_is_gone_is_a_problem_of_the_configuration(self, key_file: Path) -> None:
        settings = configured(encryption_key_file=key_file)
        key_file.unlink()
        with pytest.raises(ConfigurationError, match=r"^store.encryption_key_file: .* cannot be"):
            made(settings)


class TestRedis:
    def test_other_stores_have_no_options(self, tmp_path: Path) -> None:
        assert redis_options(configured().store) is None
        assert redis_options(configured(url=f"file://{tmp_path}").store) is None

    def test_a_server(self) -> None:
        options = redis_options(configured(url="redis://user:p%40ss@h:7/3").store)
        assert options is not None
        assert (options.nodes, options.sentinel_master) == ((("h", 7),), None)
        assert (options.database, options.username) == (3, "user")
        assert (options.password(), options.sentinel_password()) == ("p@ss", None)
        assert options.tls is None
        assert "p@ss" not in repr(options) + options.shown

    def test_sentinels(self) -> None:
        url = "redis+sentinel://a,b:7/main/2"
        options = redis_options(configured(url=url, password="p", sentinel_password="q").store)
        assert options is not None
        assert options.nodes == (("a", 26379), ("b", 7))
        assert (options.sentinel_master, options.database) == ("main", 2)
        assert (options.username, options.password(), options.sentinel_password()) == (
            None,
            "p",
            "q",
        )

    def test_a_password_in_a_file_is_read_for_each_connection(self, tmp_path: Path) -> None:
        file = tmp_path / "password"
        file.write_text("first\n")
        options = redis_options(configured(url="redis://user@h", password_file=file).store)
        assert options is not None
        assert options.password() == "first"
        file.write_text("second\n")
        assert options.password() == "second"
        file.unlink()
        with pytest.raises(ValueError, match=r"password_file: .* cannot be read"):
            options.password()


class TestTls:
    @pytest.mark.parametrize("url", ["rediss://h", "rediss+sentinel://h/m"])
    def test_is_checked_against_the_systems_cas(self, url: str) -> None:
        options = redis_options(configured(url=url).store)
        assert options is not None
        assert options.tls is not None
        context = options.tls()
        assert context.check_hostname
        assert context.verify_mode.name == "CERT_REQUIRED"
        assert options.tls() is context

    def test_files_are_loaded_again_when_they_change(self, tmp_path: Path) -> None:
        ca, certificate, key = (tmp_path / name for name in ("ca", "certificate", "key"))
        certificates.make_ca(ca)
        certificates.make_ca(certificate, key)
        options = redis_options(
            configured(
                url="rediss://h",
                ca_file=ca,
                client_certificate_file=certificate,
                client_key_file=key,
            ).store
        )
        assert options is not None
        assert options.tls is not None
        first = options.tls()
        assert [one["serialNumber"] for one in first.get_ca_certs()] == [certificates.serial(ca)]
        assert options.tls() is first
        certificates.make_ca(tmp_path / "new")
        (tmp_path / "new").replace(ca)
        second = options.tls()
        assert [one["serialNumber"] for one in second.get_ca_certs()] == [certificates.serial(ca)]
        assert second is not first
        ca.write_text("no certificate")
        with pytest.raises(OSError, match="NO_CERTIFICATE"):
            options.tls()
