"""A mark by which a gateway knows a call that it has sent out itself.

Source: RFC 8586 (`CDN-Loop`), which is made for it: whoever forwards calls adds itself, and removes
nobody. What comes back must have kept the name that it went out under, so that only calls under
that name, or under one of Zoom's, are marked: nearly all go to Zoom without.
"""

from collections.abc import Iterable
from typing import Final

FIELD: Final = b"CDN-Loop"
LOWER: Final = b"cdn-loop"

_NAME: Final = b"zoom-gateway"


class LoopMark:
    """That of one gateway. It says nothing of whose, or where, it is."""

    def __init__(self, secret: str) -> None:
        """`secret` are random letters and digits: who knew them could have calls refused."""
        self._sign = b"id=" + secret.encode("ascii")
        self.field = (FIELD, _NAME + b"; " + self._sign)

    def among(self, values: Iterable[bytes]) -> bool:
        """Whether one of the values of the field has it."""
        return any(
            self._sign in (part.strip() for part in one.split(b";"))
            for value in values
            for one in value.split(b",")
        )
