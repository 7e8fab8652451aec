"""Files that hold a key of 256 bits. Nothing here puts one into an error."""

import re
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Annotated, Final

from gateway.core.secret import Secret
from gateway.models import AfterValidator, BeforeValidator
from gateway.settings.kinds import Kind
from gateway.settings.secrets import read_small_file
from gateway.settings.shown import shown_name

_KEY: Final = 32
"""Bytes."""

_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{43}=?")
_BASE64_DIGITS: Final = 43


def read_key(path: Path) -> Secret:
    """The key that a file holds, in hexadecimal digits. Raises ValueError that names the file."""
    name, content = shown_name(path), read_small_file(path)
    key = content if len(content) == _KEY else _from_text(content.decode("latin-1"))
    if key is None:
        raise ValueError(
            f"{name} holds {len(content)} bytes that are no key: it must hold {_KEY} bytes, raw,"
            " in base64 or in hexadecimal digits; make one with: openssl rand -base64 32"
        )
    return Secret(key.hex())


def _from_text(text: str) -> bytes | None:
    """The key in hexadecimal digits or base64, of either alphabet; None if that is no key."""
    text = text.strip()
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    if _BASE64.fullmatch(text):
        return urlsafe_b64decode(text[:_BASE64_DIGITS].replace("+", "-").replace("/", "_") + "=")
    return None


def _no_key(value: object) -> object:
    # A path may look like base64, so only what is no file is suspected.
    if isinstance(value, str) and _from_text(value) and not Path(value.strip()).exists():
        raise ValueError("is no file: if it is the key itself, put it into a file and name that")
    return value


def _readable(path: Path) -> Path:
    read_key(path)
    return path


KeyFile = Annotated[
    Path,
    BeforeValidator(_no_key),
    AfterValidator(_readable),
    Kind("the path of a file that holds an encryption key"),
]
