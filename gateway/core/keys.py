"""The keys that callers show, and how one is found without telling how near a guess was."""

import hmac
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from gateway.core.secret import Secret

SHORTEST: Final = 16
"""Characters: 62 letters and digits to the power of 16 are beyond guessing."""

DEFAULT_FIELD: Final = b"x-zoom-gateway-key"

AUTHORIZATION: Final = b"authorization"

_BEARER: Final = re.compile(rb"bearer[ \t]+(.*)", re.IGNORECASE | re.DOTALL)
_PLACEHOLDER: Final = re.compile(rb"zoom-gateway(\..+)?", re.DOTALL)


class WrongKeyError(Exception):
    """What was shown is no key of ours; says nothing of it."""


class Keys:
    """The keys by name. What is kept are digests: equal in length, whatever the keys are."""

    def __init__(self, keys: Mapping[str, Secret]) -> None:
        self._digests = {name: _digest(key.reveal().encode()) for name, key in keys.items()}

    def __bool__(self) -> bool:
        return bool(self._digests)

    def name_of(self, shown: bytes) -> str | None:
        """The name of a key. All keys are compared, whichever fits."""
        digest = _digest(shown)
        found = None
        for name, known in self._digests.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found

    def name_in(self, field: bytes, values: Sequence[bytes]) -> str | None:
        """The name of the key that a header field shows; None: it shows none.

        `field` is the field's name in lower case. In `Authorization` only `Bearer` shows a key,
        and the placeholder of the emulated token endpoint is none. Raises WrongKeyError for a key
        that is not known, and for several.
        """
        if field == AUTHORIZATION:
            bearers = [match[1].strip() for one in values if (match := _BEARER.fullmatch(one))]
            values = [one for one in bearers if not _PLACEHOLDER.fullmatch(one)]
        if not values:
            return None
        name = self.name_of(values[0]) if len(values) == 1 else None
        if name is None:
            raise WrongKeyError
        return name


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
