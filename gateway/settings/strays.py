"""Variables that look like ours and set nothing: slips of the hand, which nobody else would tell.

A name without `__` is none of ours, so that what Kubernetes injects for a Service of our name
does no harm; but so is `ZOOM_GATEWAY_LISTEN_PORT`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from gateway.settings import schema, shorthand

_CONFIG: Final = "ZOOM_GATEWAY_CONFIG"
"""A name of ours that is no key: the file's."""

_WILD: Final = {schema.NAME: r"(\w+?)", schema.INDEX: rf"(\d{{1,{schema.INDEX_DIGITS}}})"}
"""What the steps of a path that stand for others match."""

_LIKE: Final = 0.87
"""How alike two names must be (difflib's ratio) for one to be a slip of the other."""

_SERVICE: Final = re.compile(
    r".*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
"""What Kubernetes (and Docker's links) set for each Service, by its name; beside `_PORT` alone."""

_LINK: Final = re.compile(r"(tcp|udp|sctp)://")
"""How the value of `..._PORT` begins there."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A variable that sets nothing. `meant` is the one that was probably meant, or empty."""

    name: str
    meant: str


def strays(environ: Mapping[str, str]) -> list[Stray]:
    """By name. What the loader refuses, and what Kubernetes sets, is not among them."""
    found = (stray for name in sorted(environ) if (stray := _stray(name, environ)))
    return list(found)


def _stray(name: str, environ: Mapping[str, str]) -> Stray | None:
    upper = name.upper()
    if not upper.startswith("ZOOM"):
        return None
    if not re.match(r"ZOOM_?GATEWAY_", upper):
        return _short(name, environ)
    if name == _CONFIG or _injected(name, environ[name]):
        return None
    if name.startswith(schema.PREFIX) and schema.DELIMITER in name:
        return None  # a key, or a problem that the loader tells
    return Stray(name, _meant(re.sub(r"^ZOOM_?GATEWAY_+", "", upper)))


def _injected(name: str, value: str) -> bool:
    if not name.startswith(schema.PREFIX) or schema.DELIMITER in name:
        return False
    return _SERVICE.fullmatch(name) is not None or (
        name.endswith("_PORT") and _LINK.match(value) is not None
    )


def _short(name: str, environ: Mapping[str, str]) -> Stray | None:
    """A slip of `ZOOM_ACCOUNT_ID` and the like, if that one is not set itself."""
    known = [*shorthand.ACCOUNT_KEYS.values(), *shorthand.APP_KEYS.values()]
    if name in known:
        return None
    guess = get_close_matches(name.upper(), known, n=1, cutoff=_LIKE)
    return Stray(name, guess[0]) if guess and not environ.get(guess[0]) else None


def _meant(rest: str) -> str:
    """The variable whose name has these words, whatever stands between them."""
    flat = re.sub("_+", "_", rest)
    if flat.startswith("CONFIG"):
        return _CONFIG
    for key in _keys():
        if found := _pattern(key.path).fullmatch(flat):
            given = iter(found.groups())
            return schema.variable([next(given) if step in _WILD else step for step in key.path])
    plain = ["_".join(key.path).upper() for key in _keys() if _WILD.keys().isdisjoint(key.path)]
    guess = get_close_matches(flat, plain, n=1, cutoff=_LIKE)
    return _meant(guess[0]) if guess else ""


def _keys() -> Iterator[schema.Key]:
    """Those that a variable with `__` can set."""
    return (key for key in schema.all_keys() if key.field is not None and len(key.path) > 1)


def _pattern(path: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("_".join(_WILD.get(step) or re.escape(step.upper()) for step in path))
