"""Which files, and which values of the configuration file, are taken for secret."""

from pathlib import Path

import yaml

from gateway.settings import load
from gateway.settings.secret_places import secret_files, secrets_in
from tests.settings.configured import SHORT
from tests.stores.certificates import Authority

KEY = "a-key-of-24-characters-x"


def test_keys_of_callers_of_tls_and_of_a_proxy_are_found(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("localhost")
    (tmp_path / "key").write_text(KEY)
    tree = {
        "access": {
            "keys": {
                "written": {"key": KEY.upper()},
                "filed": {"key_file": str(tmp_path / "key")},
            }
        },
        "tls": {
            "certificate_file": str(issued.certificate),
            "key_file": str(issued.key),
            "client_ca_file": str(authority.file),
        },
        "upstream": {
            "egress_proxy": f"http://{KEY}@proxy.example:1",
            "ca_file": str(authority.file),
        },
    }
    config = tmp_path / "gateway.yaml"
    config.write_text(yaml.safe_dump(tree))
    settings = load(config, SHORT)
    assert dict(secret_files(settings)) == {
        "tls.key_file": issued.key,
        "access.keys.filed.key_file": tmp_path / "key",
    }
    assert secrets_in(config, settings) == ["access.keys.written.key", "upstream.egress_proxy"]
    shown = f"{settings!r} {settings.describe()}"
    assert KEY not in shown.lower()
    assert "http://***@proxy.example:1" in shown
