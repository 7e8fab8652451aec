"""Scopes: what an app may do. Which ones a token holds, and which one an answer says is missing.

An app has either granular scopes (`user:read:list_users:admin`), each for a few operations, of
which Zoom's reference names those that an operation needs, or classic ones (`user:read:admin`),
of which it cannot be told from the outside which operations they allow.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.routes import Operation

MOST_NAMED: Final = 8
"""Scopes that are taken from a message."""

_CLASSIC: Final = re.compile(r"[a-z0-9_]+:(read|write|master)(:(admin|master))?")
_NAMED: Final = re.compile(r"does not contain scopes?\s*:?\s*\[([^\]]{0,2000})", re.IGNORECASE)
_SCOPE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")

_STATUSES: Final = frozenset({400, 401, 403})
_CODE: Final = 4711
"""Zoom's code for missing scopes alone; 104, 201 and 4700 have other meanings, too."""


def scopes_of(text: str) -> frozenset[str]:
    """Those of a token answer's `scope`."""
    return frozenset(text.split())


def classic(granted: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """The classic ones, sorted; `known` are granular whatever they look like."""
    return sorted(one for one in set(granted).difference(known) if _CLASSIC.fullmatch(one))


def advised(scopes: Sequence[str]) -> str:
    """The one of several, each of which is enough, that a Server-to-Server app can have."""
    return next((one for one in scopes if one.endswith(":admin")), scopes[-1] if scopes else "")


@dataclass(frozen=True, slots=True)
class Weighed:
    """Operations, by whether a token's scopes allow them."""

    held: list[Operation]
    lacking: list[Operation]
    unlisted: list[Operation]
    """Zoom's reference does not say which scope they need."""
    hidden: list[Operation]
    """The token has classic scopes, which may allow them or not."""


def weigh(
    operations: Iterable[Operation], granted: frozenset[str], known: Iterable[str] = ()
) -> Weighed:
    """`known` are all granular scopes that are known."""
    weighed = Weighed([], [], [], [])
    unclear = bool(classic(granted, known))
    for one in operations:
        if not granted.isdisjoint(one.scopes):
            weighed.held.append(one)
        elif not one.scopes:
            weighed.unlisted.append(one)
        else:
            (weighed.hidden if unclear else weighed.lacking).append(one)
    return weighed


def lacking(status: int, body: bytes) -> tuple[str, ...] | None:
    """The scopes of which Zoom misses one; empty if it does not name any.

    None: the answer is about something else. `body` is decoded.
    """
    if status not in _STATUSES or (b"scope" not in body and b"4711" not in body):
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    message = document.get("message")
    named = _NAMED.search(message) if isinstance(message, str) else None
    if named is None:
        return () if document.get("code") == _CODE else None
    return tuple(dict.fromkeys(_SCOPE.findall(named[1])))[:MOST_NAMED]
