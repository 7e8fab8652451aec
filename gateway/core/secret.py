"""A string that never shows itself."""

from hmac import compare_digest
from typing import Final, NoReturn, final

_MASK: Final = "Secret(***)"


@final
class Secret:
    """A client secret, a token or a key. `str`, `repr` and `format` show a mask.

    Only `reveal()` hands out the value, so that every place that can leak one is found by
    searching for that word. Equality is by value, in a time that does not tell where two differ;
    the hash is not the value's own, so that a secret in a set shows nothing either.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value itself. Never pass it to a logger, an exception or a label."""
        return self._value

    def __repr__(self) -> str:
        return _MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(_MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(_bytes(self), _bytes(other))

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: reveal() it where it is meant to be written")

    # What copies objects by hand asks for the slots here.
    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret has no state to show: reveal() it where it is meant to be")


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")
