"""A call that comes back is known by its mark."""

import pytest

from gateway.core.loops import LoopMark

MARK = LoopMark("5f3a")


def test_the_mark_is_one_of_a_list() -> None:
    assert MARK.field == (b"CDN-Loop", b"zoom-gateway; id=5f3a")
    assert MARK.among([MARK.field[1]])
    assert MARK.among([b"cdn.example; x=1, zoom-gateway;id=5f3a ;y, other"])
    assert MARK.among([b"cdn.example", b"zoom-gateway; id=5f3a"])


@pytest.mark.parametrize(
    "value", [b"", b"zoom-gateway", b"zoom-gateway; id=5f3b", b"x; id=5f3a0", b"id =5f3a", b"5f3a"]
)
def test_others_are_not_taken_for_it(value: bytes) -> None:
    assert not MARK.among([value])
    assert not MARK.among([])
