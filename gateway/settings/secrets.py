"""Secrets, as values and in files. Nothing here puts one into an error."""

import re
from pathlib import Path
from typing import Annotated, Final

from gateway.core.secret import Secret
from gateway.models import (
    AfterValidator,
    BaseModel,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
)
from gateway.settings.kinds import Kind
from gateway.settings.shown import shown_name

MASK: Final = "***"

NO_SECRET: Final = "no_secret"  # noqa: S105 - no password, the name of an error
"""The type of the error that a secret is set in no form; it is about the key of its file."""

_FILE_LIMIT: Final = 65_536
"""Bytes: a secret has about 32 characters, so a larger file is the wrong one."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def to_secret(value: object) -> Secret:
    """Text without the whitespace around it. Raises ValueError, without the value."""
    if isinstance(value, Secret):
        value = value.reveal()
    if not isinstance(value, str):
        raise ValueError("must be text: put it in quotes")  # noqa: TRY004 - what pydantic collects
    text = value.strip()
    if not text:
        raise ValueError("is empty")
    if text in {"...", "…"}:
        raise ValueError("is a placeholder: fill in the secret")
    if _CONTROL.search(text):
        raise ValueError("must be one line: it holds a line break or another control character")
    return Secret(text)


def read_secret(path: Path) -> Secret:
    """The secret that a file holds. Raises ValueError that names the file and what is wrong."""
    name, content = shown_name(path), read_small_file(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not text in UTF-8") from None
    try:
        return to_secret(text)
    except ValueError as error:
        raise ValueError(f"{name}: its content {error}") from None


def read_small_file(path: Path, limit: int = _FILE_LIMIT) -> bytes:
    """What the file holds. Raises ValueError that names the file and what is wrong."""
    name = shown_name(path)
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError("is no path: it holds a null character") from None
    if len(content) > limit:
        raise ValueError(f"{name} is larger than {limit} bytes: it is not the right file")
    return content


def at_most_one(path: Path | None, info: ValidationInfo) -> Path | None:
    """Validates `X_file`: it and `X` are not both set. Raises ValueError."""
    key = str(info.field_name).removesuffix("_file")
    if path is not None and info.data.get(key) is not None:
        raise ValueError(f"is one too many: {key} is set, too; keep one of the two")
    return path


def at_least_one(path: Path | None, info: ValidationInfo) -> Path | None:
    """Validates `X_file`: it or `X` is set. Raises the error `NO_SECRET`."""
    key = str(info.field_name).removesuffix("_file")
    # A value that is not there is wrong by itself, and reported already.
    if path is None and key in info.data and info.data[key] is None:
        raise no_secret("the secret is missing")
    return path


def no_secret(words: str) -> Exception:
    """The error `NO_SECRET`, for validators."""
    from pydantic_core import PydanticCustomError  # noqa: PLC0415  see `gateway.models`

    return PydanticCustomError(NO_SECRET, words)


def current_secret(section: BaseModel, key: str) -> Secret | None:
    """The secret `key` or what the file `key_file` holds now; None if neither is set.

    Raises ValueError that names the key and the file if it cannot be read (any more).
    """
    path: Path | None = getattr(section, f"{key}_file")
    if path is None:
        value: Secret | None = getattr(section, key)
        return value
    try:
        return read_secret(path)
    except ValueError as error:
        raise ValueError(f"{key}_file: {error}") from None


def _readable(path: Path) -> Path:
    read_secret(path)
    return path


SecretText = Annotated[
    Secret, PlainValidator(to_secret), PlainSerializer(lambda _: MASK), Kind("text (a secret)")
]
SecretFile = Annotated[Path, AfterValidator(_readable), Kind("the path of a readable file")]
