"""What the kubelet makes of a pod, as far as files and variables go: to load its configuration."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.settings.certificates import make_ca
from tests.support.helm import Document, Rendered

SECRET: Final = "the-secret-of-all-files"
"""Long enough for a key of a caller, too."""
PROXY: Final = "http://user:the-secret@proxy.example:3128"
"""Where a variable's name says that it is a proxy's URL."""
ID: Final = "0123456789"
ROOTS: Final = ("/run/secrets/", "/etc/", "/vault/")
"""Where paths begin that are mounted."""


@dataclass(frozen=True)
class Mounted:
    """`config`: the path of gateway.yaml, whose own paths lead to the files made here."""

    config: Path
    environ: Mapping[str, str]


def mount(rendered: Rendered, directory: Path) -> Mounted:
    """Make the files that the gateway's container would see, below `directory`."""
    volumes = {one["name"]: one for one in rendered.pod["volumes"]}
    for wanted in rendered.gateway["volumeMounts"]:
        place = directory / wanted["mountPath"].lstrip("/")
        place.mkdir(parents=True)
        for name, write in _files(volumes[wanted["name"]], rendered):
            write(place / name)
    option = next(one for one in rendered.gateway["args"] if one.startswith("--config="))
    config = directory / option.removeprefix("--config=").lstrip("/")
    tree = _moved(yaml.safe_load(config.read_text()), directory)
    config.write_text(yaml.safe_dump(tree))
    return Mounted(config, _environ(rendered.gateway))


def _files(volume: Document, rendered: Rendered) -> Iterator[tuple[str, Callable[[Path], None]]]:
    if "configMap" in volume and "items" not in volume["configMap"]:
        for name, text in rendered.one("ConfigMap", volume["configMap"]["name"])["data"].items():
            yield name, lambda path, text=text: path.write_text(text)  # type: ignore[misc]  # a lambda's default has no type
    given = volume.get("secret") or volume.get("configMap", {})
    if "items" in given:
        paths = {item["path"] for item in given["items"]}
        if {"certificate.pem", "key.pem"} <= paths:
            yield "certificate.pem", lambda path: make_ca(path, path.with_name("key.pem"))
            paths -= {"certificate.pem", "key.pem"}
        for name in paths:
            yield name, _make(name)


def _make(name: str) -> Callable[[Path], None]:
    if name.endswith(".pem"):
        return make_ca
    if name.endswith("encryption-key"):
        return lambda path: _write(path, base64.b64encode(name.ljust(32).encode()[:32]).decode())
    # Keys of callers must differ.
    return lambda path: _write(path, f"{SECRET}-{path.parent.name}-{name}\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def _moved(tree: Any, directory: Path) -> Any:
    if isinstance(tree, dict):
        return {key: _moved(value, directory) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_moved(value, directory) for value in tree]
    if isinstance(tree, str) and tree.startswith(ROOTS):
        return f"{directory}{tree}"
    return tree


def _environ(container: Document) -> dict[str, str]:
    return {
        one["name"]: _referred(one["name"]) if "valueFrom" in one else one["value"]
        for one in container.get("env", [])
    }


def _referred(name: str) -> str:
    return PROXY if name.endswith("PROXY") else ID
