import pytest

from gateway.core.lengths import is_plain, number


@pytest.mark.parametrize(
    ("digits", "length", "plain"),
    [
        (b"0", 0, True),
        (b"400", 400, True),
        (b"1" * 18, int("1" * 18), True),
        (b"1" * 19, int("1" * 19), False),
        (b"007", 7, False),
        (b"00", 0, False),
        (b"%d" % (2**63 - 1), 2**63 - 1, False),
        (b"%d" % 2**63, None, False),
        (b"0" * 33, None, False),
        (b"9" * 5000, None, False),
        (b"", None, False),
        (b"+1", None, False),
        (b"1_0", None, False),
        (b" 1", None, False),
        (b"-1", None, False),
        (b"0x1", None, False),
        ("\u0661".encode(), None, False),
    ],
)
def test_a_length_is_digits_and_not_too_many(
    digits: bytes, length: int | None, *, plain: bool
) -> None:
    assert number(digits) == length
    assert is_plain(digits) is plain
