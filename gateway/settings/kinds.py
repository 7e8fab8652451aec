"""The kinds of value a key can hold.

Each carries the words that say what is right, used for problems and for the reference.
A validator raises ValueError with a whole sentence where the words alone would not help;
no sentence repeats the value, which may be a secret in the wrong place.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal

from gateway.models import AfterValidator, BeforeValidator, Field
from gateway.settings.shown import shown_name


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value must be, in words that can follow "must be"."""

    words: str


NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""An account's name: it stands in a path (`/@NAME/v2`), a header, a variable and a label."""

_APP_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?")
_PLACEHOLDER: Final = re.compile(r"\W*|[<\[{$].*|your[\W_].*", re.IGNORECASE)
"""What examples and templates have where a value is to be filled in."""

FIELD_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""The name of a header field (RFC 9110 section 5.1)."""

_WORD: Final = re.compile(r"[!-~]+")
"""Printable ASCII without a space."""


def is_host(text: str) -> bool:
    """Whether this is an IP address (IPv6 without brackets) or a host name."""
    try:
        ip_address(text)
    except ValueError:
        return _HOST_NAME.fullmatch(text) is not None
    return True


def _host(text: str) -> str:
    if not is_host(text):
        raise ValueError("must be an address or host name alone, such as 127.0.0.1, :: or 0.0.0.0")
    return text


def _account_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(
            "an account's name has 1 to 63 of a-z, 0-9, _ and -, and begins with a letter or digit"
        )
    return text


def _app_name(text: str) -> str:
    if not _APP_NAME.fullmatch(text):
        raise ValueError(
            "must be 1 to 63 letters, digits, _, - and ., beginning with a letter or digit"
        )
    return text


def _account_id(text: str) -> str:
    if _PLACEHOLDER.fullmatch(text):
        raise ValueError("is a placeholder: fill in the account id (app page, App credentials)")
    if not _WORD.fullmatch(text):
        raise ValueError("must be the account id alone, without spaces")
    return text


def _client_id(text: str) -> str:
    if _PLACEHOLDER.fullmatch(text):
        raise ValueError("is a placeholder: fill in the client id (app page, App credentials)")
    # RFC 7617: in Basic authentication a colon would end the id.
    if not _WORD.fullmatch(text) or ":" in text:
        raise ValueError("must be the client id alone, without spaces or colons")
    return text


def _probe_path(text: str) -> str:
    if not text.startswith("/") or not _WORD.fullmatch(text) or "#" in text:
        raise ValueError("must be a path that begins with /, without spaces or #")
    return text


def _directory(path: Path | Literal["auto"]) -> Path | Literal["auto"]:
    if path == "auto":
        return path
    try:
        if path.is_dir():
            return path
    except OSError:  # a directory on the way that may not be entered
        pass
    raise ValueError(
        f"{shown_name(path, 'it')} is not a directory that can be used: make it, or say auto"
    )


def _indexes(indexes: tuple[int, ...]) -> tuple[int, ...]:
    if not indexes or len(set(indexes)) != len(indexes):
        raise ValueError("must name at least one index, and none twice")
    return indexes


def no_bool(value: object) -> object:
    """Refuse what counts as a number in Python, and in no configuration."""
    if isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 - what pydantic collects
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Seconds = Annotated[
    float, Field(gt=0, allow_inf_nan=False), Kind("a number of seconds greater than 0")
]
SecondsOrZero = Annotated[
    float, Field(ge=0, allow_inf_nan=False), Kind("a number of seconds, 0 or greater")
]
WaitSeconds = Annotated[
    float, Field(gt=0, le=60), Kind("a number of seconds greater than 0, at most 60")
]
LeaseSeconds = Annotated[
    # A store takes a lease that has more than 60 s to go for one from before its clock was set
    # back, and so for none.
    float,
    Field(gt=0, le=30),
    Kind("a number of seconds greater than 0, at most 30"),
]
Port = Annotated[int, Field(ge=0, le=65535), Kind("a port, 0 to 65535")]
ByteCount = Annotated[int, Field(ge=0), Kind("a whole number of bytes, 0 or greater")]
Share = Annotated[float, Field(gt=0, lt=1)]
RotateAt = Annotated[
    Literal["auto"] | Share, Kind("auto, or a share of the life between 0 and 1, such as 0.5")
]
Switch = Annotated[bool, Kind("true or false")]
Portion = Annotated[float, Field(ge=0, le=1), Kind("a share from 0 to 1, such as 0.1")]
Index = Annotated[int, BeforeValidator(no_bool), Field(ge=0)]
Indexes = Annotated[
    tuple[Index, ...],
    AfterValidator(_indexes),
    Kind("a list of whole numbers, 0 or greater, such as [0, 1]"),
]

Host = Annotated[str, AfterValidator(_host), Kind("an address or host name")]
AccountName = Annotated[str, AfterValidator(_account_name)]
AppName = Annotated[str, AfterValidator(_app_name), Kind("a name")]
AccountId = Annotated[str, AfterValidator(_account_id), Kind("text")]
ClientId = Annotated[str, AfterValidator(_client_id), Kind("text")]
ServiceName = Annotated[str, AfterValidator(_app_name), Kind("a name")]
ProbePath = Annotated[str, AfterValidator(_probe_path), Kind("a path")]
SpoolDirectory = Annotated[
    Literal["auto"] | Path, AfterValidator(_directory), Kind("auto, or an existing directory")
]

OnOutage = Annotated[Literal["mint", "wait"], BeforeValidator(_lower), Kind("mint or wait")]
LogFormat = Annotated[Literal["json", "console"], BeforeValidator(_lower), Kind("json or console")]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    BeforeValidator(_lower),
    Kind("debug, info, warning or error"),
]
