import pytest

from gateway.core.request_id import request_id


def fresh() -> str:
    return "fresh"


@pytest.mark.parametrize(
    "value",
    [
        b"0b7c8d9e-1111-4222-8333-444455556666",
        b"Root=1-67891233-abcdef012345678912345678",
        b"a",
        b"A9._~+/=:@-",
        b"x" * 128,
    ],
)
def test_a_sane_id_is_kept(value: bytes) -> None:
    assert request_id([value], fresh) == value.decode()


@pytest.mark.parametrize(
    "value", [b"", b"a b", b"a\tb", b'a"b', b"a,b", b"a\r\nb", b"a\n", b"\xe4", b"x" * 129, b"{a}"]
)
def test_any_other_is_replaced(value: bytes) -> None:
    assert request_id([value], fresh) == "fresh"


def test_none_and_several_are_replaced() -> None:
    assert request_id([], fresh) == "fresh"
    assert request_id([b"a", b"a"], fresh) == "fresh"
