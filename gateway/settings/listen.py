"""Where the gateway listens: for callers, and for its operators."""

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

from gateway.models import AfterValidator, BeforeValidator, Field
from gateway.settings import kinds
from gateway.settings.kinds import Kind
from gateway.settings.section import Section

LONGEST_SOCKET: Final = 107
"""Bytes of a Unix socket's path: Linux takes no more (unix(7)); others even less."""

_MODE: Final = re.compile(r"0?[0-7]{3}")
_OWNER: Final = 0o600

_ALL: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound
_LOCAL: Final = frozenset({"127.0.0.1", "::1"})
"""What `localhost` stands for."""


def _socket(path: Path) -> Path:
    text = str(path)
    if not path.is_absolute() or "\0" in text or path.name in {"", ".."}:
        raise ValueError("must be the whole path of a file, such as /run/zoom-gateway/proxy.sock")
    size = len(os.fsencode(path))
    if size > LONGEST_SOCKET:
        raise ValueError(
            f"has {size} bytes, and a Unix socket's path at most {LONGEST_SOCKET}: take a shorter"
            " directory, such as /run/zoom-gateway"
        )
    return path


def _mode(value: object) -> object:
    # What another reader of YAML took for a number may be 0660 or 432.
    text = value if isinstance(value, str) else ""
    if not _MODE.fullmatch(text):
        raise ValueError("must be three octal digits, such as 0660")
    if int(text, 8) & _OWNER != _OWNER:
        raise ValueError("must let the owner read and write: 0600, 0660 or 0666")
    return text


SocketPath = Annotated[Path, AfterValidator(_socket), Kind("the path of a Unix socket")]
SocketMode = Annotated[str, BeforeValidator(_mode), Kind("octal digits, such as 0660")]


class ListenSettings(Section):
    """Where callers connect. Point their base URL here."""

    host: kinds.Host = Field(
        default="127.0.0.1",
        description="The address to listen on: `0.0.0.0` or `::` for all. Who reaches it calls"
        " Zoom with your token.",
    )
    port: kinds.Port = Field(default=8080, description="The port; 0 takes any free one.")
    socket: SocketPath | None = Field(
        default=None,
        description="The path of a Unix socket that takes the place of `host` and `port`: callers"
        " are then those on this machine, or in this pod, whom its file lets in, and nothing"
        " listens on TCP for them.",
    )
    socket_mode: SocketMode = Field(
        default="0660",
        description="The permissions of that file, in octal digits: who may write to it may call."
        " `0660` lets its owner and its group.",
    )

    @property
    def mode(self) -> int:
        """`socket_mode` as a number."""
        return int(self.socket_mode, 8)


class AdminSettings(Section):
    """Where metrics, health and the status page are."""

    host: kinds.Host = Field(
        default="127.0.0.1", description="The address to listen on: `0.0.0.0` or `::` for all."
    )
    port: kinds.Port = Field(default=9090, description="The port; 0 takes any free one.")
    allow_actions: kinds.Switch = Field(
        default=False,
        description="Whether who reaches the admin port may ask for a new token (`POST"
        " /accounts/NAME/rotate`, and a button on the status page). False: it only ever reads.",
    )


def overlap(listen: ListenSettings, admin: AdminSettings) -> bool:
    """Whether callers might reach the admin pages where they call."""
    if listen.socket is not None or admin.port == 0 or admin.port != listen.port:
        return False
    ours, theirs = _addresses(listen.host), _addresses(admin.host)
    return bool(ours & theirs or _ALL & (ours | theirs))


def _addresses(host: str) -> frozenset[str]:
    """What a host is written as in other words; other names are known when they are bound."""
    if host.lower().removesuffix(".") == "localhost":
        return _LOCAL
    try:
        return frozenset({str(ip_address(host))})
    except ValueError:
        return frozenset({host.lower().removesuffix(".")})
