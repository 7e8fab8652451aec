"""The files that are made from the model, and the examples."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_core import PydanticUndefined

from gateway.settings import example, load, load_operations, reference, schema
from tests.settings.configured import SHORT, settings

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
KEYS = [key for key in schema.all_keys() if key.section is None]


NAMED = {("accounts",), ("access", "keys")}
"""Mappings whose keys are names."""


def uncommented(path: Path) -> Any:
    """The file with every key switched on."""
    return yaml.safe_load(re.sub(r"(?m)^( *)#(?=[^ #\n])", r"\1", path.read_text()))


VALUES = {("upstream", "addresses")}
"""Mappings that are one value."""


def leaves(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if isinstance(tree, dict) and path not in VALUES:
        steps = ((key if path not in NAMED else "NAME", tree[key]) for key in tree)
    elif isinstance(tree, list) and path[-1:] in {("apps",), ("rules",)}:
        steps = (("N", item) for item in tree)
    else:
        return {path: tree}
    return {leaf: v for step, value in steps for leaf, v in leaves(value, (*path, step)).items()}


def test_gateway_yaml_names_every_key_with_its_default() -> None:
    named = leaves(uncommented(CONFIG / "gateway.yaml"))
    assert list(named) == [key.path for key in KEYS]
    for key in KEYS:
        assert key.field is not None
        default = key.field.get_default(call_default_factory=True)
        if default in (None, PydanticUndefined):
            assert named[key.path] == "..."
        else:
            assert named[key.path] == (list(default) if isinstance(default, tuple) else default)


def test_gateway_yaml_is_what_the_model_makes() -> None:
    assert (CONFIG / "gateway.yaml").read_text() == example.example()


def test_gateway_yaml_works_with_the_credentials_of_the_environment() -> None:
    assert load(CONFIG / "gateway.yaml", SHORT) == settings()


def test_demo_yaml_needs_nothing() -> None:
    loaded = load(CONFIG / "demo.yaml", {})
    account = loaded.accounts["default"]
    credentials = account.apps[0].credentials()
    assert loaded.upstream.api_url == "http://127.0.0.1:8081"
    assert loaded.upstream.token_url == "http://127.0.0.1:8081/oauth/token"
    assert (account.account_id, credentials.client_id) == ("demo-account", "demo-client")
    assert credentials.client_secret.reveal() == "demo-secret"
    assert loaded.store.url == "memory:"


def test_without_a_configuration_both_ports_are_on_loopback() -> None:
    loaded = load(None, SHORT)
    assert (loaded.listen.host, loaded.admin.host) == ("127.0.0.1", "127.0.0.1")
    assert loaded.listen.socket is None


def test_image_yaml_listens_on_all_of_a_containers_addresses() -> None:
    loaded = load(CONFIG / "image.yaml", SHORT)
    assert (loaded.listen.host, loaded.admin.host) == ("0.0.0.0", "0.0.0.0")
    assert (loaded.listen.port, loaded.admin.port) == (8080, 9090)


def test_two_slots_yaml_has_two_indexes() -> None:
    [app] = load(CONFIG / "two-slots.yaml", SHORT).accounts["default"].apps
    assert app.token_indexes == (0, 1)


def test_the_two_apps_of_two_slots_yaml_name_keys_that_exist() -> None:
    text = (CONFIG / "two-slots.yaml").read_text()
    commented = re.findall(r"(?m)^ *#(?:- )?(\w+):", text)
    assert {"apps", "name", "client_id", "client_secret_file"} == set(commented)


def test_every_yaml_of_config_is_tested_here() -> None:
    assert {path.name for path in CONFIG.glob("*.yaml")} == {
        "gateway.yaml",
        "demo.yaml",
        "image.yaml",
        "two-slots.yaml",
    }


def test_the_reference_is_what_the_model_makes() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == reference.reference()


def test_the_reference_has_every_key_its_variable_and_default() -> None:
    rows = [line for line in reference.reference().splitlines() if line.startswith("| `")]
    assert len(rows) == len(KEYS)
    for key, row in zip(KEYS, rows, strict=True):
        assert f"`{schema.dotted(key.path)}`" in row
        assert f"`{schema.variable(key.path)}`" in row
        assert row.count(" | ") == 4
    assert "`ZOOM_CLIENT_SECRET_FILE`" in "".join(rows)


def test_every_key_says_what_it_is() -> None:
    for key in KEYS:
        assert key.field is not None
        assert key.words, key.path
        assert (key.field.description or "").endswith("."), key.path


def test_every_number_of_seconds_or_bytes_says_its_unit() -> None:
    for key in KEYS:
        for unit in ("seconds", "bytes"):
            if unit in str(key.words):
                assert key.field is not None
                assert unit in str(key.field.description).lower(), key.path


@pytest.mark.parametrize(
    ("module", "path"),
    [("reference", "docs/configuration.md"), ("example", "config/gateway.yaml")],
)
def test_the_commands_that_make_them(module: str, path: str) -> None:
    made = subprocess.run(
        [sys.executable, "-m", f"gateway.settings.{module}"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert made.stdout.decode() == (ROOT / path).read_text()


def test_the_operations_are_in_the_package() -> None:
    operations = load_operations()
    assert len(operations) == 1750
    assert operations[0].path == "/scim2/Groups"
