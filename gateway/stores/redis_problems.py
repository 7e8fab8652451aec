"""What Redis' errors mean for the gateway, in sentences that name the key and what to do.

Nothing of a server's own text is repeated: some quote the command that they refuse, and that may
be the one that carries the password.
"""

import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from redis import exceptions as errors
from redis.asyncio.sentinel import MasterNotFoundError

from gateway.core.errors import (
    StoreContentError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)
from gateway.stores.redis_scripts import DAMAGED, NO_STAMP

FAULTS: Final = (errors.RedisError, OSError, EOFError, ValueError, RuntimeError)
"""What the client raises when it meets a server, a network, or what is no Redis at all. The last
is uvloop's, for a connection that was cut while it was being made."""


class UnreadablePasswordError(errors.RedisError):
    """The password could not be had, so nothing was sent."""


_REFUSED: Final = (
    "it refuses the user or the password: correct them there, or in store.password or"
    " store.password_file"
)
_UNSAFE: Final = "it takes no writes at the moment, to lose none: look at its log"
_CLUSTER: Final = "it is part of a cluster: use a single server, or Sentinel"
_WORDS: Final = {
    "READONLY": "it is a read-only replica: name the primary, or wait for the end of a failover",
    "MASTERDOWN": "it is a replica that lost its primary: name the primary, or wait for it",
    "OOM": "its memory is full: raise its maxmemory or remove other data",
    "LOADING": "it is still loading its data: wait until it is done",
    "BUSY": "it is busy with another program's script: wait until it is done",
    "MISCONF": _UNSAFE,
    "NOREPLICAS": _UNSAFE,
    "MOVED": _CLUSTER,
    "CLUSTERDOWN": _CLUSTER,
    "NOPERM": "its ACL forbids it: allow the user the keys zoom-gateway:*, the channel"
    " zoom-gateway:changed and the commands eval, evalsha, script|load, time, hget, hgetall,"
    " hlen, hset, hdel, del, pexpire, publish, subscribe, select and ping",
    "NOAUTH": _REFUSED,
    "WRONGPASS": _REFUSED,
    # What a server says of a long command before the password.
    "unauthenticated": _REFUSED,
}

_NOT_LET_IN: Final = {"NOPERM", "NOAUTH", "WRONGPASS", "unauthenticated", "READONLY"}

_CODE: Final = re.compile(rf"\b({'|'.join(_WORDS)}|WRONGTYPE|{DAMAGED}|{NO_STAMP})\b")
"""Older servers put the code of an error in a script somewhere into its text."""

_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (errors.ReadOnlyError, "READONLY"),
    (errors.OutOfMemoryError, "OOM"),
    (errors.BusyLoadingError, "LOADING"),
    (errors.NoPermissionError, "NOPERM"),
    (errors.AuthenticationError, "WRONGPASS"),
    (errors.AuthenticationWrongNumberOfArgsError, "WRONGPASS"),
    (errors.AuthorizationError, "NOPERM"),
    (errors.MasterDownError, "MASTERDOWN"),
    (errors.MovedError, "MOVED"),
    (errors.ClusterDownError, "CLUSTERDOWN"),
)

_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")

_NOT_OURS: Final = {
    "WRONGTYPE": "it is no hash",
    DAMAGED: "its document is not as it was written",
    NO_STAMP: "its fence cannot be read",
}


def code_of(problem: BaseException) -> str:
    """The code of the server's error; empty if there is none that means anything here."""
    for kind, code in _CODES:
        if isinstance(problem, kind):
            return code
    found = _CODE.search(str(problem)) if isinstance(problem, errors.ResponseError) else None
    return found[0] if found else ""


def store_error(problem: BaseException, key: str, server: str) -> StoreError:
    """The error to raise for `problem`, which met `key` at `server`."""
    code = code_of(problem)
    if code in _NOT_OURS:
        return content_error(key, server, _NOT_OURS[code])
    refused = code in _NOT_LET_IN or _needs_operator(problem)
    kind = StoreRefusedError if refused else StoreUnavailableError
    why = _WORDS.get(code) or _why(problem)
    return kind(f"the key {key} in Redis at {server} cannot be used: {why} (store.url)")


def content_error(key: str, server: str, why: str) -> StoreContentError:
    return StoreContentError(
        f"the key {key} in Redis at {server} is not a record of this gateway ({why}):"
        " it stays as it is; use another database (store.url), or delete the key"
    )


def _needs_operator(problem: BaseException) -> bool:
    """Waiting does not cure it. Who meets it at its start is configured wrongly, and others, who
    are not, may well be using the store.
    """
    if isinstance(problem, UnreadablePasswordError | MasterNotFoundError):
        return True
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in _chain(problem))


def _why(problem: BaseException) -> str:
    if isinstance(problem, UnreadablePasswordError):
        return "its password cannot be read: check the file of store.password_file"
    if isinstance(problem, MasterNotFoundError):
        return "no Sentinel knows a primary of this name: check the Sentinels and the name"
    if isinstance(problem, errors.TimeoutError | TimeoutError):
        return "it does not answer in time: check the server, the network and TLS"
    if isinstance(problem, errors.ResponseError) and "unknown command" in str(problem).lower():
        return (
            "it does not know the command: redis+sentinel:// is for Sentinels alone, redis:// for"
            " Redis itself, 5 or newer"
        )
    if isinstance(problem, errors.ResponseError):
        return (
            f"it refuses the command ({type(problem).__name__}): check that it is Redis 5 or"
            " newer, and has that database"
        )
    return f"no connection{_detail(problem)}: check that it runs, its host and port, and TLS"


def _detail(problem: BaseException) -> str:
    """What the system said, in words of its own that quote nobody."""
    for one in _chain(problem):
        if isinstance(one, ssl.SSLCertVerificationError):
            return f" (its certificate: {one.verify_message}; see store.ca_file)"
        if isinstance(one, ssl.SSLError):
            return f" (TLS: {one.reason or 'broken'})"
        if isinstance(one, socket.gaierror):
            return " (its name cannot be resolved)"
        # Of several addresses that failed asyncio makes one error, with the numbers in its text.
        found = _ERRNO.search(str(one)) if isinstance(one, OSError) else None
        if found is not None:
            return f" ({os.strerror(int(found[1]))})"
    return ""


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    while problem is not None:
        yield problem
        problem = problem.__cause__ or problem.__context__
