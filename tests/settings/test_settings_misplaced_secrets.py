"""A secret in the wrong place: under each key, in each form, no problem repeats it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gateway.core.errors import ConfigurationError
from gateway.settings import load, schema
from tests.settings.configured import SHORT

PART = "kD93canary"
"""In each of them."""

SECRETS = [
    f"{PART}SECRET77xQ",
    f"/{PART}/b+SECRET77xQ==",
    f"{PART}.b-SECRET/77xQ",
    f"https://{PART}@host/path?query",
    f"redis://user:{PART}@host:port",
    f"http://user:{PART}@proxy.example:3128",
    f"http://{PART}@proxy.example:3128",
    f"{PART}:SECRET",
    f"{PART}?: SECRET",
    f"{PART} SECRET",
    f"{PART}\"b\\'SECRET",
    *(f"{sign}{PART}" for sign in "*&!%@{['|>#-?"),
]

KEYS = {
    ".".join(path): path
    for key in schema.all_keys()
    for path in [[{"NAME": "default", "N": "0"}.get(step, step) for step in key.path]]
}

HIDDEN = {
    "access.keys.default.key",
    "upstream.egress_proxy",
    *(key for key in KEYS if key.endswith(("_secret", "password"))),
}
"""What they hold is shown nowhere, where it is right, either."""


def texts(path: list[str], secret: str) -> Iterator[str]:
    """Files with the secret under this key: as a value, unquoted, in a list, as a key."""

    def nested(value: object) -> object:
        for step in reversed(path):
            value = [value] if step == "0" else {step: value}
        return value

    yield yaml.safe_dump(nested(secret))
    yield yaml.safe_dump(nested("X")).replace("X", secret)
    yield yaml.safe_dump(nested([secret]))
    yield json.dumps(nested({f"{secret}?": secret}))
    yield yaml.safe_dump(nested("X")).replace(": X", f":{secret}")


@pytest.mark.parametrize("key", KEYS)
def test_under_a_key_of_the_file(key: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    for secret in SECRETS:
        for text in texts(KEYS[key], secret):
            file.write_text(text)
            assert PART not in said(file, {}, key), text


@pytest.mark.parametrize("key", KEYS)
def test_in_a_variable(key: str) -> None:
    name = schema.variable(KEYS[key])
    for secret in SECRETS:
        for value in (secret, json.dumps([secret]), json.dumps({f"{secret}?": secret})):
            assert PART not in said(None, {name: value}, key), value


@pytest.mark.parametrize("secret", [f"{PART}SECRET77xQ", f"{PART}-secret-77xq".lower()])
@pytest.mark.parametrize("value", ["reports", ["reports"]])
def test_a_key_and_its_name_swapped(secret: str, value: object, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump({"access": {"keys": {secret: value}}}))
    lines = said(file, {}, "access.keys.default.key").splitlines()
    assert lines[0].startswith("access.keys.…")
    assert PART.lower() not in "".join(lines).lower()


def test_the_rule_can_be_broken(tmp_path: Path) -> None:
    """A key's name is shown, as long as it looks like one: it says what to correct."""
    file = tmp_path / "gateway.yaml"
    file.write_text(f"log: {{{PART}: x}}")
    assert PART in said(file, {})


def said(file: Path | None, variables: dict[str, str], key: str = "") -> str:
    """All problems; if there are none, what a key that holds a secret shows of it."""
    try:
        settings = load(file, {**SHORT, **variables})
    except ConfigurationError as error:
        return str(error)
    # What is a valid value of another key may be shown.
    return f"{settings!r} {settings.describe()}" if key in HIDDEN else ""
