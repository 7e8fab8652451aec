"""Where the gateway of this machine, or of this container, shows its state.

A health check asks for it every few seconds, so that nothing of the settings is imported.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "ZOOM_GATEWAY_ADMIN__"
FILE: Final = "ZOOM_GATEWAY_CONFIG"
"""The variable that names the configuration file of every command."""

HERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  compared with
"""How one that listens on all addresses is reached from here."""

PORT: Final = "9090"
"""The default."""


def admin_url(environ: Mapping[str, str]) -> str:
    """The admin listener's URL: of the environment, else of the file that it names, else usual."""
    told = {name: environ.get(f"{PREFIX}{name.upper()}", "").strip() for name in ("host", "port")}
    if not all(told.values()) and environ.get(FILE):
        found = _of_file(Path(environ[FILE]))
        told = {name: text or str(found.get(name) or "") for name, text in told.items()}
    host = HERE.get(told["host"], told["host"])
    # 0 takes any free one: there is no way to know which.
    port = told["port"] if told["port"] not in {"", "0"} else PORT
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _of_file(path: Path) -> Mapping[str, Any]:
    """Its section `admin`; nothing if it cannot be read: `check` says why, this one only asks."""
    import yaml  # noqa: PLC0415  rarely needed

    try:
        with path.open(encoding="utf-8") as file:
            tree = yaml.safe_load(file)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    section = tree.get("admin") if isinstance(tree, dict) else None
    return section if isinstance(section, dict) else {}
