"""The id that names a call in logs and in `X-Request-Id`."""

import re
from collections.abc import Callable, Sequence
from typing import Final

_SANE: Final = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}")
"""What is taken from a caller: UUIDs, ULIDs, trace ids, base64 and addresses fit; quotes,
spaces, commas and control characters, which break logs and headers, do not."""


def request_id(values: Sequence[bytes], fresh: Callable[[], str]) -> str:
    """Give the caller's id if it sent exactly one, and a sane one; otherwise `fresh()`."""
    if len(values) == 1 and _SANE.fullmatch(values[0]):
        return values[0].decode("ascii")
    return fresh()
