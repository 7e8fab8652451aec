import pytest

from gateway.core.fates import Fate, Fates


def fates() -> Fates:
    return Fates(frozenset({b"te", b"host"}), frozenset({b"host", b"date"}), b"x-own-")


@pytest.mark.parametrize(
    ("name", "fate"),
    [
        (b"Accept", Fate.KEPT),
        (b"TE", Fate.DROPPED),
        (b"Host", Fate.DROPPED_AND_READ),
        (b"date", Fate.KEPT_AND_READ),
        (b"X-Own-Thing", Fate.DROPPED),
        (b"x-owner", Fate.KEPT),
    ],
)
def test_what_becomes_of_a_field(name: bytes, fate: Fate) -> None:
    known = fates()
    assert known[name] is known[name] is fate
    assert list(known) == [name]


def test_without_a_prefix_only_names_count() -> None:
    assert Fates(frozenset(), frozenset())[b"X-Own-Thing"] is Fate.KEPT


@pytest.mark.parametrize("name", [b"a b", b"a:", b"a\r", b"\xe4", b"a\0"])
def test_what_is_no_name_is_refused_and_not_remembered(name: bytes) -> None:
    known = fates()
    with pytest.raises(ValueError, match="no token"):
        known[name]
    assert not known


def test_what_is_remembered_is_bounded() -> None:
    known = fates()
    for number in range(3000):
        assert known[b"x-%d" % number] is Fate.KEPT
        assert len(known) <= 1024
    assert known[b"x" * 65] is Fate.KEPT
    assert b"x" * 65 not in known
