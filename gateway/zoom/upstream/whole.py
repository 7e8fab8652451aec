"""An answer that came as a whole, in one piece, and is of the usual kind: taken apart at once.

Nearly all are, and a parser that calls back for each field costs several times as much. What is
unusual in the least, or wrong, is not for here: the parser judges it.
"""

import re
from typing import Final

from gateway.core.answer_lines import AnswerLines
from gateway.core.headers import KnownFields

_LONGEST: Final = 16_384
"""Bytes of a head that is read here."""

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([A-Za-z]+(?:[ '-][A-Za-z]+)*)")
"""A status line of RFC 9112, section 4, with a final status and a phrase of plain words."""

_NO_BODY: Final = frozenset({204, 304})
"""Statuses under which there is no body, whatever the length says."""

_REMEMBERED: Final = 64
"""Status lines that are remembered at most."""

_LONGEST_REMEMBERED: Final = 64
"""Bytes of such a line."""


Whole = tuple[int, str, KnownFields, bytes]
"""Status, reason, fields and body of an answer over HTTP/1.1 that leaves its connection open."""


_LONGEST_COMMON: Final = 1024
"""Bytes of a head that is remembered."""


class _Last:
    """The head that came last of those whose lines are all remembered anyway."""

    __slots__ = ("fields", "head", "reason", "status")

    def __init__(self) -> None:
        self.head = b""
        self.status = 0
        self.reason = ""
        self.fields = KnownFields()


_lines: Final = AnswerLines()
_last: Final = _Last()
_statuses: Final[dict[bytes, tuple[int, str]]] = {}


def read_whole(data: bytes) -> Whole | None:
    """Take apart the answer that `data` is, if it is one as a whole and nothing else.

    None if the parser must be asked. Not for answers to HEAD.
    """
    end = data.find(b"\r\n\r\n", 0, _LONGEST)
    if end < 0:
        return None
    head, last = data[:end], _last
    body = end + 4
    if head == last.head and last.fields.read.length == len(data) - body:
        return last.status, last.reason, last.fields, data[body:]
    lines = head.split(b"\r\n")
    first = lines.pop(0)
    known = _statuses.get(first) or _status(first)
    fields = _lines.read(lines) if known else None
    if known is None or fields is None or fields.read.length != len(data) - body:
        return None
    if fields.common and end <= _LONGEST_COMMON:
        last.head, (last.status, last.reason), last.fields = head, known, fields
    return known[0], known[1], fields, data[body:]


def _status(line: bytes) -> tuple[int, str] | None:
    """Status and reason, if both are usual."""
    match = _STATUS.fullmatch(line)
    if match is None:
        return None
    status, reason = match.groups()
    found = int(status), reason.decode("ascii")
    if found[0] in _NO_BODY:
        return None
    if len(line) <= _LONGEST_REMEMBERED:
        if len(_statuses) >= _REMEMBERED:
            _statuses.clear()
        _statuses[line] = found
    return found
