"""Secrets, as values and in files. Nothing here puts one into an error."""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, PlainSerializer, PlainValidator

from gateway.core.secret import Secret
from gateway.settings.kinds import Kind

MASK: Final = "***"

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
        raise ValueError("is a placeholder: fill in the client secret")
    if _CONTROL.search(text):
        raise ValueError("must be one line: it holds a line break or another control character")
    return Secret(text)


def read_secret(path: Path) -> Secret:
    """The secret that a file holds. Raises ValueError that names the file and what is wrong."""
    # A name without / and . may be the secret itself, put under the wrong key.
    name = str(path) if set("/.") & set(str(path)) else "the file"
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_LIMIT + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not text in UTF-8") from None
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError("is no path: it holds a null character") from None
    if len(content) > _FILE_LIMIT:
        raise ValueError(f"{name} is larger than {_FILE_LIMIT} bytes: it is not a secret's file")
    try:
        return to_secret(text)
    except ValueError as error:
        raise ValueError(f"{name}: its content {error}") from None


def _readable(path: Path) -> Path:
    read_secret(path)
    return path


SecretText = Annotated[
    Secret, PlainValidator(to_secret), PlainSerializer(lambda _: MASK), Kind("text (a secret)")
]
SecretFile = Annotated[Path, AfterValidator(_readable), Kind("the path of a readable file")]
