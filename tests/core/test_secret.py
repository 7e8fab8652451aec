"""A secret shows itself nowhere but where it is asked to."""

import copy
import json
import logging
import marshal
import pickle
import pprint
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from string import Template
from typing import NamedTuple

import pytest
import rich.pretty
from pydantic import BaseModel, ConfigDict
from structlog.processors import KeyValueRenderer

from gateway.core.secret import Secret

CANARY = "canary-Zx81"
SECRET = Secret(CANARY)


@dataclass
class Holder:
    secret: Secret
    name: str = "app"


class Pair(NamedTuple):
    secret: Secret
    number: int


class Settings(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    secret: Secret


WAYS: dict[str, Callable[[], str]] = {
    "str": lambda: str(SECRET),
    "repr": lambda: repr(SECRET),
    "ascii": lambda: ascii(SECRET),
    "format": lambda: format(SECRET),
    "format with a width": lambda: f"{SECRET:>40}",
    "f-string": lambda: f"{SECRET} {SECRET!r} {SECRET!s} {SECRET!a}",
    "str.format": lambda: "{} {0!r}".replace("{}", "{0}").format(SECRET),
    "percent": lambda: "%s %r" % (SECRET, SECRET),  # noqa: UP031  the old way is one of the ways
    "in a list": lambda: str([SECRET]),
    "in a dict": lambda: f"{ ({SECRET: SECRET}) }",
    "dataclass": lambda: repr(Holder(SECRET)),
    "pprint": lambda: pprint.pformat(Holder(SECRET)),
    "exception": lambda: str(ValueError(SECRET)) + repr(ValueError(SECRET)),
    "json with a default": lambda: json.dumps({"secret": SECRET}, default=str),
    "the mask's own hash": lambda: str(hash(SECRET)),
    "template": lambda: Template("$secret").substitute(secret=SECRET),
    "join": lambda: " ".join(map(str, [SECRET])),
    "an attribute in a format": lambda: "{0!r:>20} {0.__class__}".format(SECRET),  # noqa: UP032  the old way is one of the ways
    "rich": lambda: rich.pretty.pretty_repr(Holder(SECRET)),
    "pydantic": lambda: f"{Settings(secret=SECRET)!r} {Settings(secret=SECRET).model_dump()}",
    "structlog": lambda: str(KeyValueRenderer()(None, "", {"secret": SECRET, "all": [SECRET]})),
    "a named tuple": lambda: repr(Pair(SECRET, 1)),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_not_shown_by(way: str) -> None:
    assert CANARY not in WAYS[way]()


def test_its_mask_says_that_something_is_hidden() -> None:
    assert str(SECRET) == repr(SECRET) == f"{SECRET}" == "Secret(***)"
    assert f"{SECRET:>13}" == "  Secret(***)"


def test_a_wrong_format_does_not_show_it_either() -> None:
    with pytest.raises(ValueError, match="format code") as caught:
        format(SECRET, "d")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="not pickled") as caught:
        pickle.dumps(SECRET, protocol)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "way",
    [
        copy.copy,
        copy.deepcopy,
        marshal.dumps,
        json.dumps,
        lambda secret: asdict(Holder(secret)),
        lambda secret: astuple(Holder(secret)),
        lambda secret: secret.__reduce_ex__(4),
        lambda secret: secret.__getstate__(),
        vars,
        bytes,
        list,
        lambda secret: "" + secret,
        lambda secret: Settings(secret=secret).model_dump_json(),
    ],
)
def test_it_is_neither_copied_nor_written_by_accident(way: Callable[[Secret], object]) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        way(SECRET)
    assert CANARY not in str(caught.value)


def test_it_has_no_dictionary_to_be_dumped() -> None:
    assert not hasattr(SECRET, "__dict__")


def test_a_traceback_with_its_local_variables_does_not_show_it() -> None:
    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError, match=r"Secret\(\*\*\*\)") as caught:
        fail(SECRET)
    error = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = "".join(error.format())
    assert "secret = Secret(***)" in shown
    assert CANARY not in shown


def test_a_log_line_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("%s %r", SECRET, Holder(SECRET))
    assert "Secret(***)" in caplog.text
    assert CANARY not in caplog.text


def test_only_reveal_hands_it_out() -> None:
    assert SECRET.reveal() == CANARY


def test_secrets_are_equal_by_value_and_never_equal_to_their_value() -> None:
    assert Secret(CANARY) == SECRET
    assert Secret("other") != SECRET
    assert SECRET != CANARY
    assert len({SECRET, Secret(CANARY)}) == 1


def test_secrets_that_are_no_text_are_compared_too() -> None:
    assert Secret("\udce4") == Secret("\udce4") != Secret("ä")
    assert Secret("ä") != Secret("a")


def test_its_size_and_its_attributes_tell_nothing() -> None:
    assert sys.getsizeof(SECRET) == sys.getsizeof(Secret(CANARY * 100))
    assert {name for name in dir(SECRET) if not name.startswith("_")} == {"reveal"}


def test_its_hash_is_not_that_of_its_value() -> None:
    assert hash(SECRET) != hash(CANARY)


def test_an_empty_one_is_false() -> None:
    assert SECRET
    assert not Secret("")
