"""What paths have in common, as far as templates and patterns can tell."""

import pytest

from gateway.core.shapes import Shape, Shapes


def shapes(*words: str) -> Shapes:
    made = Shapes()
    made.add(words)
    return made


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (b"/v2/users/me", (b"", b"v2", b"users", b"*")),
        (b"/V2/Users/ME", (b"", b"V2", b"Users", b"*")),
        (b"/v2/users/", (b"", b"v2", b"users", b"")),
        (b"/v2/users", (b"", b"v2", b"users")),
        (b"/v2/bob.smith@example.com/users", (b"", b"v2", b"*", b"users")),
        (b"/v2/*/users", (b"", b"v2", b"*", b"users")),
        (b"/v2/users/a%2fb", None),
        (b"/v2//users", None),
        (b"/v2/users.json", None),
        (b"v2/users", None),
        (b"/v2/users?a", None),
        (b"/", None),
        (b"", None),
    ],
)
def test_words_stay_as_they_are_spelled(path: bytes, shape: Shape | None) -> None:
    made = shapes("v2", "USERS", "*", "**")
    assert made.of(path) == made.of(path) == shape


def test_words_that_come_later_count_from_then_on() -> None:
    made = shapes("v2")
    path = b"/v2/users"
    assert made.of(path) == (b"", b"v2", b"*")
    made.add(["users"])
    assert made.of(path) == (b"", b"v2", b"users")
    assert made.of(b"") is None
