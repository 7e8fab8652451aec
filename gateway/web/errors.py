"""The one place where errors become HTTP.

Every answer of our own is JSON as Zoom's are, `{"code": …, "message": …}`, and says whose
fault it is and what to do; `code` is the HTTP status.
"""

import json
from http import HTTPStatus
from typing import Final, NamedTuple

from gateway.core.errors import (
    AnswerRefusedError,
    CallRefusedError,
    DescriptorsError,
    GatewayError,
    PacedError,
    StoreError,
    TokenError,
    TokenUnavailableError,
    UpstreamConnectError,
    UpstreamError,
    UpstreamLoopError,
    UpstreamTimeoutError,
)
from gateway.core.headers import Field

METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

HOST_REFUSED: Final = (
    "The gateway does not answer under the name in the Host field, which may be a stranger's. Use "
    "its address, localhost or its name in the cluster, or list the name in access.hosts."
)

LOOP: Final = "The way to Zoom leads back to the gateway, so the call goes nowhere"

_RETRY: Final = frozenset({429, 503})
"""Statuses that carry `Retry-After`."""

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_SAID: Final = {phrase.decode(): phrase for phrase in _REASONS.values()}
_JSON: Final = (b"Content-Type", b"application/json")


class MethodRefusedError(CallRefusedError):
    """405: `allow` lists the methods that work here."""

    def __init__(self, message: str, allow: bytes, *, close: bool = False) -> None:
        super().__init__(405, "method", message, close)
        self.allow = allow


class Problem(NamedTuple):
    """An error as the caller sees it. `close`: the connection must carry no other call."""

    status: int
    slug: str
    message: str
    retry_after: int = 1
    close: bool = False
    allow: bytes = b""


def problem_of(error: BaseException) -> Problem:
    """Map an error to what the caller is told. Unexpected ones tell nothing of themselves."""
    match error:
        case CallRefusedError():
            allow = error.allow if isinstance(error, MethodRefusedError) else b""
            wait = error.retry_after if isinstance(error, PacedError) else 1
            return Problem(error.status, error.slug_, error.message, wait, error.close, allow)
        case TokenUnavailableError():
            return Problem(503, error.slug, f"No Zoom token: {error}", max(1, error.retry_after))
        case TokenError() | StoreError():
            return Problem(503, error.slug, f"No Zoom token: {error}")
        case UpstreamConnectError():
            return _unconnected(error)
        case UpstreamTimeoutError():
            return _upstream(
                504, error, "Zoom did not answer in time; it may have acted on the call"
            )
        case UpstreamError():
            return _spoilt(error)
        case GatewayError():
            return Problem(500, error.slug, f"The gateway failed: {error}")
        case _:
            return Problem(500, "internal", "The gateway failed: a fault of its own, see its log.")


def _unconnected(error: UpstreamConnectError) -> Problem:
    if isinstance(error, DescriptorsError):
        text = "The gateway has no file descriptor left; nothing was sent."
        return Problem(503, error.slug, text)
    if isinstance(error, UpstreamLoopError):
        return _upstream(508, error, LOOP)
    text = "Zoom cannot be reached; nothing was sent, so the call can be repeated"
    return _upstream(502, error, text)


def _spoilt(error: UpstreamError) -> Problem:
    if isinstance(error, AnswerRefusedError):
        return Problem(502, error.slug, str(error))
    return _upstream(502, error, "The connection to Zoom broke; it may have acted on the call")


def _upstream(status: int, error: UpstreamError, what: str) -> Problem:
    return Problem(status, error.slug, f"{what}: {error}" if str(error) else f"{what}.")


def error_answer(problem: Problem) -> tuple[list[Field], bytes]:
    """Give the header fields (without framing) and the body."""
    fields = [_JSON, (b"X-Zoom-Gateway-Error", problem.slug.encode())]
    if problem.status in _RETRY:
        fields.append((b"Retry-After", b"%d" % problem.retry_after))
    if problem.allow:
        fields.append((b"Allow", problem.allow))
    return fields, json.dumps({"code": problem.status, "message": problem.message}).encode()


def zooms_reason(status: int, said: str) -> bytes:
    """Give Zoom's reason phrase, or the standard one if it could break its line."""
    usual = _SAID.get(said)
    if usual is not None:
        return usual
    return said.encode("latin-1", "replace") if said.isprintable() else reason(status)


def reason(status: int) -> bytes:
    """Give the standard reason phrase, `b""` if there is none."""
    return _REASONS.get(status, b"")
