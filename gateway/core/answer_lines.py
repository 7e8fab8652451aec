"""The lines of an answer's head, read one by one where all of them are of the usual kind.

Most say in each answer what they said in the one before, so what becomes of them is remembered.
What is unusual is left to whoever reads any head: nothing here is an error.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeVar

from gateway.core.fates import Fate
from gateway.core.headers import ANSWERED, AnswerHeaders, Field, KnownFields
from gateway.core.lengths import is_plain

T = TypeVar("T")

_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*)")
"""RFC 9112, section 5: a token, no blank before the colon, no control but the tab."""

_UNUSUAL: Final = frozenset({b"transfer-encoding", b"upgrade", b"proxy-connection"})
"""They are about the framing or the connection, and not for here."""

_COMMON: Final = frozenset(
    {
        b"age",
        b"alt-svc",
        b"cache-control",
        b"cf-cache-status",
        b"connection",
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-security-policy",
        b"content-type",
        b"date",
        b"expires",
        b"keep-alive",
        b"nel",
        b"pragma",
        b"referrer-policy",
        b"server",
        b"strict-transport-security",
        b"vary",
        b"via",
        b"x-content-type-options",
        b"x-frame-options",
        b"x-ratelimit-category",
        b"x-ratelimit-limit",
        b"x-ratelimit-type",
        b"x-xss-protection",
        b"x-zm-zoneid",
    }
)
"""Which lines are remembered. What others say may be a secret, such as a cookie or the address
of a recording, or is another thing each time."""

_CONTROLS: Final = bytes([*range(9), *range(10, 32), 127])
"""What no line may hold: all controls but the tab."""

_REMEMBERED: Final = 512
"""Lines that are remembered at most, and names."""

_LONGEST_LINE: Final = 256
"""Bytes of a line that is remembered."""

_LONGEST_NAME: Final = 64
"""Bytes of a name that is remembered."""

_Line = tuple[Field, bytes | None, bytes | None]
"""What becomes of a line: its field; the line that the caller gets, if it goes on; and the name in
lower case, if the value is read. Such a one must not come twice."""


class AnswerLines:
    """Reads heads; remembers lines of them, and the names of other lines."""

    __slots__ = ("_known", "_names")

    def __init__(self) -> None:
        self._known: dict[bytes, _Line] = {}
        self._names: dict[bytes, tuple[bool, bytes | None]] = {}
        """By the name as it is spelled: whether its lines go on; and as `_Line` has it."""

    def read(self, lines: Sequence[bytes]) -> KnownFields | None:
        """Read a head without its first line; None if it is unusual, or has no length.

        What comes out of here has exactly one `Content-Length`, no other framing, and keeps the
        connection alive if HTTP/1.1 is spoken.
        """
        known, look_at = self._known.get, self._look_at
        fields = KnownFields()
        passed: list[bytes] = []
        values: dict[bytes, bytes] = {}
        common = True
        for line in lines:
            found = known(line)
            if found is None:
                common = False
                found = look_at(line)
                if found is None:
                    return None
            field, goes_on, read = found
            fields.append(field)
            if goes_on is not None:
                passed.append(goes_on)
            if read is not None:
                if read in values:
                    return None
                values[read] = field[1]
        get = values.get
        length = get(b"content-length")
        if length is None:
            return None
        fields.common = common
        fields.read = AnswerHeaders(
            passed,
            int(length),
            get(b"content-type", b""),
            get(b"content-encoding", b""),
            get(b"x-zm-trackingid", b""),
        )
        return fields

    def _look_at(self, line: bytes) -> _Line | None:
        """Find out what becomes of a line; None if it is unusual."""
        name, _, value = line.partition(b": ")
        known = self._names.get(name)
        # Of a name that was looked at before, only the rest of the line is in question.
        if (
            known is None
            or value.strip(b" \t") != value
            or len(line.translate(None, _CONTROLS)) != len(line)
        ):
            return self._look_closely(line)
        passed, read = known
        return (name, value), line if passed else None, read

    def _look_closely(self, line: bytes) -> _Line | None:
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        name, value = match.groups()
        value, lower = value.rstrip(b" \t"), name.lower()
        if (
            lower in _UNUSUAL
            or (lower == b"connection" and value.lower() != b"keep-alive")
            or (lower == b"content-length" and not is_plain(value))
        ):
            return None
        fate = ANSWERED[name]
        passed = fate is Fate.KEPT or fate is Fate.KEPT_AND_READ
        read = lower if fate is Fate.KEPT_AND_READ else None
        found = (name, value), name + b": " + value if passed else None, read
        if lower in _COMMON:
            # Those whose values are looked at above are among them: of these no name is remembered.
            if len(line) <= _LONGEST_LINE:
                _remember(self._known, line, found)
        elif len(name) <= _LONGEST_NAME:
            _remember(self._names, name, (passed, read))
        return found


def _remember(known: dict[bytes, T], key: bytes, what: T) -> None:
    if len(known) >= _REMEMBERED:
        # The usual ones are found again soon.
        known.clear()
    known[key] = what
