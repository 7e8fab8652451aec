"""YAML, JSON and Python in the pages: configurations load, data parses, code compiles."""

import ast
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from gateway.core.errors import ConfigurationError
from gateway.settings import Settings
from tests.docs.pages import ROOT, Block, all_blocks
from tests.settings import certificates
from tests.settings.configured import SHORT, settings

_SECRET_FILE: Final = re.compile(r"/(?:run/secrets|etc/zoom-gateway)/[\w./-]+")
_KEY: Final = "5e" * 32
"""Good as a password, a client secret and an encryption key."""


def documents(block: Block) -> list[Any]:
    return list(yaml.safe_load_all(block.text))


def keys(block: Block) -> set[str]:
    """The keys at the top; none if it is no mapping, or an object of Kubernetes."""
    first = next(iter(documents(block)), None)
    found = set(first) if isinstance(first, dict) else set()
    return set() if "apiVersion" in found else found


def is_values(block: Block) -> bool:
    """Whether a block is values for the chart, some of whose keys are the gateway's, too."""
    about_it = block.page.stem == "kubernetes" or block.page.is_relative_to(ROOT / "helm")
    return about_it and bool(keys(block)) and keys(block) <= VALUES


def is_configuration(block: Block) -> bool:
    """Whether a block of YAML configures the gateway; other files have other keys at the top."""
    return bool(keys(block) & KEYS) and not is_values(block)


KEYS: Final = Settings.model_fields.keys()
VALUES: Final[set[str]] = {
    key for path in (ROOT / "helm").glob("values.yaml") for key in yaml.safe_load(path.read_text())
}
YAML: Final = all_blocks("yaml", "yml")


def filled_in(text: str, directory: Path) -> str:
    """The text with its `...` filled in, and with paths of files that are there.

    Whatever they hold is good as a secret, or as a certificate.
    """
    (directory / "secret").write_text(_KEY)
    (directory / "tokens").mkdir(mode=0o700)
    certificates.make_ca(directory / "ca.pem", directory / "ca.key")

    def there(path: re.Match[str]) -> str:
        name = path[0].rpartition("/")[2]
        if name.startswith("gateway-"):
            # The keys of callers, of which no two may be the same.
            (directory / name).write_text(f"{name}-{_KEY}")
            return str(directory / name)
        if name == "tls.key":
            return str(directory / "ca.key")
        if name.endswith(".sock"):
            return path[0]
        return str(directory / ("ca.pem" if name.endswith((".pem", ".crt")) else "secret"))

    text = re.sub(r": \.\.\.(?=[ ,}\n])", ": filled-in", text)
    text = re.sub(r"file:///[\w./-]+", f"file://{directory / 'tokens'}", text)
    return _SECRET_FILE.sub(there, text)


def load(text: str, directory: Path) -> Settings:
    """Load a configuration; credentials that it leaves out come from the environment."""
    there = filled_in(text, directory)
    return settings(
        there, {} if "accounts" in yaml.safe_load(text) and "client_id" in text else SHORT
    )


@pytest.mark.parametrize("block", YAML, ids=str)
def test_yaml_is_yaml(block: Block) -> None:
    assert all(isinstance(document, (dict, list)) for document in documents(block))


@pytest.mark.parametrize("block", [one for one in YAML if is_configuration(one)], ids=str)
def test_configurations_load(block: Block, tmp_path: Path) -> None:
    load(block.text, tmp_path)


def test_there_are_configurations_among_them() -> None:
    assert len({block.page for block in YAML if is_configuration(block)}) >= 3


@pytest.mark.parametrize(
    "text",
    [
        "store: {urll: 'memory:'}",
        "listen: {port: 8080}\nstroe: {}",
        "accounts: {default: {account_id: a, apps: [{client_id: b}]}}",
    ],
)
def test_the_rule_finds_what_is_wrong(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load(text, tmp_path)


@pytest.mark.parametrize("block", all_blocks("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    try:
        json.loads(block.text)
    except ValueError:
        lines = block.text.splitlines()
        assert len(lines) > 1, block.text
        for line in lines:
            json.loads(line)


@pytest.mark.parametrize("block", all_blocks("python"), ids=str)
def test_python_is_python(block: Block) -> None:
    ast.parse(block.text)
