"""Fields that many calls share, and those that differ in some values."""

import pytest

from gateway.core.repeated import Repeated, Varied

FIELDS = [(b"A", b"1"), (b"B", b"2"), (b"C", b"3"), (b"D", b"4")]


def encoded(fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"\r\n".join([b"", *[name + b": " + value for name, value in fields], b"\r\n"])


@pytest.mark.parametrize("places", [(), (0,), (3,), (0, 1), (1, 3), (0, 1, 2, 3)])
def test_what_is_written_is_what_the_fields_say(places: tuple[int, ...]) -> None:
    shared = Repeated(FIELDS, tuple((place, number) for number, place in enumerate(places)))
    shared.encoded = encoded(shared)
    for call in (b"x", b"", b"longer: y"):
        values = [b"%b %d" % (call, place) for place in places]
        varied = shared.varied(values)
        assert varied == [
            (name, b"%b %d" % (call, place) if place in places else value)
            for place, (name, value) in enumerate(FIELDS)
        ]
        assert shared.written(values) == encoded(varied)
        assert shared == FIELDS
        assert (varied.base, varied.values) == (shared, values)


def test_values_may_be_of_more_fields_than_there_are() -> None:
    shared = Repeated(FIELDS, ((2, 1),))
    shared.encoded = encoded(shared)
    assert shared.written([b"traceparent", b"id"]) == encoded(shared.varied([b"-", b"id"]))


def test_they_show_none_of_their_values() -> None:
    assert repr(Repeated(FIELDS)) == repr(Varied(Repeated(FIELDS), [])) == "<4 fields>"
