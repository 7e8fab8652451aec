"""A configuration that turns out to be unusable late leaves all as it was."""

from collections.abc import Iterator
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


async def test_a_key_that_is_gone_by_then_leaves_the_certificates_that_are_asked_for(
    tmp_path: Path,
) -> None:
    ca = Authority(tmp_path)
    shown = ca.issue("gateway.test")
    tls = {
        "certificate_file": str(shown.certificate),
        "key_file": str(shown.key),
        "client_ca_file": str(ca.file),
    }
    gateway = Gateway(settings(tmp_path, tls=tls), configure("json", "error"))
    key = tmp_path / "key"
    key.write_text("a-key-of-some-length-7d1f")
    weaker = settings(
        tmp_path,
        tls={**tls, "client_certificates": "optional"},
        access={"keys": {"one": {"key_file": str(key)}}},
    )
    key.unlink()
    with pytest.raises(ConfigurationError):
        gateway.reload(weaker)
    await gateway.look_at_certificates()
    assert gateway.status()["listener"]["tls"]["client_certificates"] == "required"
    key.write_text("a-key-of-some-length-7d1f")
    assert gateway.reload(weaker).applied == ("tls", "access")
    await gateway.look_at_certificates()
    assert gateway.status()["listener"]["tls"]["client_certificates"] == "optional"
    await gateway.stop(0)
