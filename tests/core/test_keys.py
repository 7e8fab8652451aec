import hmac

import pytest

from gateway.core.keys import AUTHORIZATION, DEFAULT_FIELD, Keys, WrongKeyError
from gateway.core.secret import Secret

A, B = "a" * 20, "b" * 32
KEYS = Keys({"a": Secret(A), "b": Secret(B)})


def test_a_key_has_a_name() -> None:
    assert KEYS.name_of(A.encode()) == "a"
    assert KEYS.name_of(B.encode()) == "b"
    assert KEYS.name_of(b"a" * 19) is None
    assert (bool(KEYS), bool(Keys({}))) == (True, False)


def test_every_key_is_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def counting(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    for shown in (A.encode(), B.encode(), b"x", b"x" * 1000):
        KEYS.name_of(shown)
    # Digests: nothing of a key's length shows either.
    assert compared == [(32, 32)] * 8


@pytest.mark.parametrize(
    ("field", "values", "name"),
    [
        (DEFAULT_FIELD, [], None),
        (DEFAULT_FIELD, [A.encode()], "a"),
        (AUTHORIZATION, [], None),
        (AUTHORIZATION, [b"Bearer " + B.encode()], "b"),
        (AUTHORIZATION, [b"bearer \t" + B.encode() + b" "], "b"),
        (AUTHORIZATION, [b"Basic eDp5"], None),
        (AUTHORIZATION, [b"Basic eDp5", b"Bearer " + A.encode()], "a"),
        (AUTHORIZATION, [b"Bearer zoom-gateway"], None),
        (AUTHORIZATION, [b"Bearer zoom-gateway.sales"], None),
    ],
)
def test_the_key_in_a_field(field: bytes, values: list[bytes], name: str | None) -> None:
    assert KEYS.name_in(field, values) == name


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (DEFAULT_FIELD, [b""]),
        (DEFAULT_FIELD, [b"Bearer " + A.encode()]),
        (DEFAULT_FIELD, [A.encode(), A.encode()]),
        (AUTHORIZATION, [b"Bearer bogus"]),
        (AUTHORIZATION, [b"Bearer " + A.encode(), b"Bearer " + B.encode()]),
    ],
)
def test_a_wrong_key_or_several(field: bytes, values: list[bytes]) -> None:
    with pytest.raises(WrongKeyError):
        KEYS.name_in(field, values)
