"""A configuration that turns out to be unusable late leaves all as it was."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from gateway.core.errors import ConfigurationError
from gateway.observe.logs import configure
from gateway.settings import Settings, load
from gateway.wiring import Gateway
from tests.stores.certificates import Authority

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def settings(directory: Path, **sections: Any) -> Settings:
    path = directory / "gateway.yaml"
    upstream = {"api_url": NOWHERE, "token_url": f"{NOWHERE}/oauth/token"}
    app = {"client_id": "b", "client_secret": "c"}
    accounts = {"default": {"account_id": "a", "apps": [app]}}
    tree = {"upstream": upstream, "accounts": accounts, **sections}
    path.write_text(yaml.safe_dump(tree))
    return load(path, {})


class World:
    """A gateway with TLS, and the files that it reads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ca = ca = Authority(directory)
        self.shown = shown = ca.issue("gateway.test")
        self.key = directory / "key"
        self.key.write_text("a-key-of-some-length-7d1f")
        self.tls = {
            "certificate_file": str(shown.certificate),
            "key_file": str(shown.key),
            "client_ca_file": str(ca.file),
        }
        self.gateway = Gateway(
            settings(directory, tls=self.tls, access={"default": "deny"}),
            configure("json", "error"),
        )

    def other(self) -> Settings:
        """Certificates are not required any more, and a rule relies on keys instead."""
        return settings(
            self._directory,
            tls={**self.tls, "client_certificates": "optional"},
            access={
                "default": "deny",
                "keys": {"one": {"key_file": str(self.key)}},
                "rules": [{"name": "one", "callers": {"keys": ["one"]}}],
            },
        )

    def seen(self) -> tuple[str, int]:
        """What is asked of callers, and how many rules there are."""
        status = self.gateway.status()
        return status["listener"]["tls"]["client_certificates"], status["access"]["rules"]


BEFORE, AFTER = ("required", 0), ("optional", 1)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.gateway.stop(0)


@pytest.mark.parametrize("gone", ["key", "certificate"])
async def test_a_file_that_is_gone_by_then_leaves_all_as_it_was(world: World, gone: str) -> None:
    file = world.key if gone == "key" else world.shown.certificate
    other, content = world.other(), file.read_text()
    file.unlink()
    with pytest.raises(ConfigurationError):
        await world.gateway.reload(other)
    assert world.seen() == BEFORE
    file.write_text(content)
    assert (await world.gateway.reload(other)).applied == ("tls", "access")
    assert world.seen() == AFTER


async def test_certificates_and_rules_change_in_one_step(world: World) -> None:
    """Else callers without a certificate would be judged by rules for those who have one."""
    reloading = asyncio.create_task(world.gateway.reload(world.other()))
    turns = [world.seen()]
    while not reloading.done():
        await asyncio.sleep(0)
        turns.append(world.seen())
    assert (await reloading).applied == ("tls", "access")
    assert list(dict.fromkeys(turns)) == [BEFORE, AFTER]


async def test_certificates_that_are_all_that_changed_are_read(world: World) -> None:
    until = world.gateway.status()["listener"]["tls"]["expires_at"]
    fresh = world.ca.issue("gateway.test", days=(-1, 2))
    assert fresh == world.shown
    same = settings(world.shown.key.parent, tls=world.tls, access={"default": "deny"})
    assert (await world.gateway.reload(same)).applied == ()
    assert world.gateway.status()["listener"]["tls"]["expires_at"] > until
