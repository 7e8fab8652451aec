"""Lengths of bodies, as header fields say them."""

from typing import Final

_MAX_LENGTH: Final = 2**63 - 1
"""Bytes. Above it parsers count wrong: some read 2^64 - 1 as no length at all."""

_MAX_DIGITS: Final = 32
"""Of a length, leading zeros included: Python refuses to read numbers of some thousands."""

_SURE_DIGITS: Final = 19
"""Of a length: with fewer it is below the limit."""

_ZERO: Final = 0x30


def is_plain(digits: bytes) -> bool:
    """Whether it is a length as nearly all are: no sign, no leading zero, of a sane size."""
    return (
        len(digits) < _SURE_DIGITS and digits.isdigit() and (digits[0] != _ZERO or digits == b"0")
    )


def number(digits: bytes) -> int | None:
    """The length; None if it is not one number of a sane size."""
    # `isdigit` of bytes takes ASCII alone; int() would take signs and underscores, too.
    if len(digits) > _MAX_DIGITS or not digits.isdigit():
        return None
    length = int(digits)
    return length if length <= _MAX_LENGTH else None
