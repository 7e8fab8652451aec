"""What Redis' errors mean for the gateway, in sentences that name the key and what to do.

Nothing of an error's own text is repeated: some servers quote the command that they refuse, and
that may be the one that carries the password.
"""

import re
from typing import Final

from redis import exceptions as errors

from gateway.core.errors import StoreContentError, StoreError, StoreUnavailableError

_CODE: Final = re.compile(r"\b(WRONGTYPE|READONLY|OOM|LOADING|NOAUTH|WRONGPASS|NOPERM)\b")
"""Older servers put the code of an error in a script somewhere into its text."""

_NO_NUMBER: Final = "not an integer"

_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (errors.ReadOnlyError, "READONLY"),
    (errors.OutOfMemoryError, "OOM"),
    (errors.BusyLoadingError, "LOADING"),
    (errors.NoPermissionError, "NOPERM"),
    (errors.AuthenticationError, "WRONGPASS"),
    (errors.AuthenticationWrongNumberOfArgsError, "WRONGPASS"),
    (errors.AuthorizationError, "NOPERM"),
)

_REFUSED: Final = "the server refuses the user or the password: correct them"
_WORDS: Final = {
    "READONLY": "the server is a read-only replica: name the primary",
    "OOM": "the server's memory is full: raise its maxmemory or remove other data",
    "LOADING": "the server is still loading its data: wait until it is done",
    "NOPERM": "the server's ACL forbids it: allow the user the key and the commands eval, evalsha,"
    " script, time, hget, hset, hdel, hincrby, publish and subscribe",
    "NOAUTH": _REFUSED,
    "WRONGPASS": _REFUSED,
}


def store_error(problem: Exception, key: str, server: str) -> StoreError:
    """The error to raise for `problem`, which met `key` at `server` (host and port)."""
    code = _code(problem)
    if code == "WRONGTYPE":
        return content_error(key, server, "it is no hash")
    if isinstance(problem, errors.ResponseError) and _NO_NUMBER in str(problem):
        return content_error(key, server, "its revision or its fence is no number")
    return StoreUnavailableError(
        f"the key {key} in Redis at {server} cannot be used: {_why(problem, code)} (store.url)"
    )


def content_error(key: str, server: str, why: str) -> StoreContentError:
    return StoreContentError(
        f"the key {key} in Redis at {server} is not a record of this gateway ({why}):"
        " it stays as it is; use another database (store.url), or delete the key"
    )


def _code(problem: Exception) -> str:
    for kind, code in _CODES:
        if isinstance(problem, kind):
            return code
    found = _CODE.search(str(problem)) if isinstance(problem, errors.ResponseError) else None
    return found[0] if found else ""


def _why(problem: Exception, code: str) -> str:
    if code:
        return _WORDS[code]
    if isinstance(problem, errors.TimeoutError | TimeoutError):
        return "the server does not answer in time: check the server and the network"
    if isinstance(problem, errors.ResponseError):
        return (
            f"the server refuses the command ({type(problem).__name__}): check that it is Redis 5"
            " or newer, no cluster, and has that database"
        )
    return "no connection to the server: check that it runs, its host and port, and TLS"
