"""HTTP/1.1 read as narrowly as it can be written: the oracle for what is on the wire.

It knows nothing of the gateway and forgives nothing: no second spelling, no blank too many, no
chunk extension, no trailer. What a well-behaved sender would not write is malformed.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

Field = tuple[bytes, bytes]

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE: Final = re.compile(rb"(" + _TOKEN + rb") (/[\x21-\x22\x24-\x7e]*) HTTP/1\.1")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\t\x20-\x7e\x80-\xff]*")
_FIELD: Final = re.compile(
    rb"(" + _TOKEN + rb"): ((?:[\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*)?)"
)
_NUMBER: Final = re.compile(rb"0|[1-9][0-9]{0,18}")
_SIZE: Final = re.compile(rb"0|[1-9a-f][0-9a-f]{0,15}")


class MalformedError(Exception):
    """This is no HTTP as a careful sender writes it."""


class Message(NamedTuple):
    """A request or an answer; `start` is its first line without the version."""

    start: tuple[bytes, ...]
    fields: Sequence[Field]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name]

    @property
    def status(self) -> int:
        return int(self.start[0])


class _Head(NamedTuple):
    start: tuple[bytes, ...]
    fields: list[Field]
    end: int
    length: int | None
    chunked: bool


def read_requests(data: bytes) -> tuple[list[Message], bytes]:
    """All requests that are complete, and what is left. Raises MalformedError."""
    found, position = [], 0
    while (head := _head(data, position, _REQUEST_LINE)) is not None:
        body = _body(data, head, head.length or 0)
        if body is None:
            break
        content, position = body
        found.append(Message(head.start, head.fields, content))
    return found, data[position:]


def read_answers(
    data: bytes, methods: Sequence[bytes], *, ended: bool
) -> tuple[list[Message], bytes]:
    """All final answers that are complete, to calls of these methods (then GET), and the rest.

    Interim ones are checked and dropped. `ended`: no more bytes will come.
    """
    found: list[Message] = []
    position = 0
    while (head := _head(data, position, _STATUS_LINE)) is not None:
        status = int(head.start[0])
        method = methods[len(found)] if len(found) < len(methods) else b"GET"
        if status < 200:
            if head.fields or status != 100:
                raise MalformedError(f"an interim answer {status} with {head.fields}")
            position = head.end
            continue
        length = head.length
        if method == b"HEAD" or status in (204, 304):
            head = head._replace(chunked=False)
            length = 0
        elif length is None and not head.chunked:
            if not ended:
                break
            length = len(data) - head.end
        body = _body(data, head, length or 0)
        if body is None:
            break
        content, position = body
        found.append(Message(head.start, head.fields, content))
    return found, data[position:]


def _head(data: bytes, position: int, first: re.Pattern[bytes]) -> _Head | None:
    if position == len(data):
        return None
    end = data.find(b"\r\n\r\n", position)
    lines = data[position : len(data) if end < 0 else end].split(b"\r\n")
    if end < 0:
        lines.pop()  # it may be cut
    if not lines:
        return None
    match = first.fullmatch(lines[0])
    if match is None:
        raise MalformedError(f"first line {lines[0]!r}")
    fields: list[Field] = []
    for line in lines[1:]:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise MalformedError(f"field {line!r}")
        fields.append((field[1], field[2]))
    if end < 0:
        return None
    return _framed(match.groups(), fields, end + 4)


def _framed(start: tuple[bytes, ...], fields: list[Field], end: int) -> _Head:
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise MalformedError(f"framed twice: {lengths} {codings}")
    if codings and codings != [b"chunked"]:
        raise MalformedError(f"coding {codings}")
    if lengths and not _NUMBER.fullmatch(lengths[0]):
        raise MalformedError(f"length {lengths}")
    return _Head(start, fields, end, int(lengths[0]) if lengths else None, bool(codings))


def _body(data: bytes, head: _Head, length: int) -> tuple[bytes, int] | None:
    if not head.chunked:
        end = head.end + length
        return (data[head.end : end], end) if end <= len(data) else None
    content, position = b"", head.end
    while True:
        line, found, _ = data[position : position + 20].partition(b"\r\n")
        if not found:
            if len(data) - position >= 20:
                raise MalformedError(f"chunk size {line!r}")
            return None
        if not _SIZE.fullmatch(line):
            raise MalformedError(f"chunk size {line!r}")
        position += len(line) + 2
        size = int(line, 16)
        if len(data) < position + size + 2:
            return None
        content += data[position : position + size]
        position += size
        if data[position : position + 2] != b"\r\n":
            raise MalformedError(f"chunk end {data[position : position + 2]!r}")
        position += 2
        if not size:
            return content, position
