"""The exceptions: each says whose fault it is, in words, under a slug."""

import re
from collections.abc import Callable, Iterator

import pytest

from gateway.core import errors
from gateway.core.errors import (
    MAY_HAVE_MINTED,
    NEEDS_OPERATOR,
    CallRefusedError,
    ConfigurationError,
    GatewayError,
    MintError,
    MintFailure,
    PacedError,
    StoreFormatError,
    TokenUnavailableError,
)


def tree(root: type[GatewayError]) -> Iterator[tuple[str, str]]:
    """Each exception of the module with its parent."""
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child.__name__, root.__name__
            yield from tree(child)


def drawn() -> Iterator[tuple[str, str]]:
    """The same, as the module's docstring draws it."""
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"( *[│├└── ]*)(\w+Error)\b", line)
        if found:
            depth = (len(found[1]) - 4) // 4
            del path[depth:]
            if path:
                yield found[2], path[-1]
            path.append(found[2])


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert sorted(drawn()) == sorted(tree(GatewayError))


def test_every_slug_is_a_word_for_programs() -> None:
    kinds = [getattr(errors, name) for name, _ in tree(GatewayError)]
    assert all(re.fullmatch(r"[a-z_]+", kind.slug) for kind in kinds)
    assert GatewayError.slug == "internal"


def test_a_configuration_error_lists_every_problem_on_a_line() -> None:
    error = ConfigurationError(["a: unknown", "b: missing"])
    assert str(error) == "a: unknown\nb: missing"
    assert error.problems == ["a: unknown", "b: missing"]


def test_a_refused_call_reads_as_its_message() -> None:
    error = CallRefusedError(413, "too_large", "The body is too large.")
    assert (str(error), error.status, error.close) == ("The body is too large.", 413, False)


def test_an_unavailable_token_reads_as_its_reason() -> None:
    error = TokenUnavailableError("There is no token yet.")
    assert (str(error), error.retry_after) == ("There is no token yet.", 1)


def test_a_failed_mint_reads_as_its_message() -> None:
    error = MintError(MintFailure.TIMEOUT, "no answer within 4 s")
    assert (str(error), error.retry_after) == ("no answer within 4 s", None)


ERRORS: dict[str, Callable[[], GatewayError]] = {
    "a refused call": lambda: CallRefusedError(413, "too_large", "The body is too large."),
    "an unavailable token": lambda: TokenUnavailableError("There is no token yet."),
    "a failed mint": lambda: MintError(MintFailure.TIMEOUT, "no answer within 4 s"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_two_of_the_same_words_are_two_and_can_be_kept_in_a_set(kind: str) -> None:
    one, other = ERRORS[kind](), ERRORS[kind]()
    assert str(one) == str(other)
    assert len({one, other, one}) == 2


def test_a_newer_format_keeps_its_fathers_slug() -> None:
    assert StoreFormatError.slug == "store_content"


def test_what_needs_an_operator_has_minted_nothing() -> None:
    assert not NEEDS_OPERATOR & MAY_HAVE_MINTED


@pytest.mark.parametrize("failure", MintFailure)
def test_a_failures_value_is_a_label_for_metrics(failure: MintFailure) -> None:
    assert re.fullmatch(r"[a-z_]+", failure.value)


def test_a_paced_call_may_come_again_later() -> None:
    error = PacedError("not now", 7)
    assert (error.status, error.slug_, str(error), error.retry_after) == (
        429,
        "paced",
        "not now",
        7,
    )
