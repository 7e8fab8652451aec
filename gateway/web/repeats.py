"""Headers that callers repeat on a connection, byte for byte, call after call.

Most clients do: only the first line differs, and perhaps the value of a field that numbers the
calls. Such a header has been read as one by the parser, and everything that was found out about it
holds again, as long as the same objects are in force.
"""

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from gateway.core.headers import VARIES, CallerHeaders, Field, may_vary
from gateway.core.keys import Keys
from gateway.core.policy import Group
from gateway.core.repeated import Repeated, Spot

if TYPE_CHECKING:
    from gateway.web.admit import Call

_LINE: Final = re.compile(
    rb"(GET|HEAD|DELETE) (/[A-Za-z0-9/._~%?&=:@!$'()*+,;-]{0,2048}) HTTP/1\.1"
)
"""First lines that are read here: any parser takes them for what they are."""

_METHODS: Final = {b"GET": "GET", b"HEAD": "HEAD", b"DELETE": "DELETE"}

_LINE_END: Final = b"\r\n"
_END: Final = b"\r\n\r\n"

_LONGEST: Final = 4096
"""Bytes of a header that is remembered, for as long as the connection is there."""

_TRIES: Final = 8
"""Headers that are remembered in vain before a connection is taken for one that repeats none, since
its caller changes more than values from call to call, say."""

_MOST_SPOTS: Final = 4
"""Values of a header that may change from call to call."""

_LONGEST_VALUE: Final = 256
"""Bytes of such a value."""

_VALUE: Final = re.compile(rb"[!-~](?:[ -~]{0,254}[!-~])?")
"""What any parser takes for a value as it stands."""

_Head = tuple[str, bytes, tuple[bytes, ...]]
"""Method, target, and the values that are the call's own."""


class Passed(NamedTuple):
    """What the access rules made of a header: who shows it, by these keys and with this account."""

    keys: Keys
    account: str
    group: Group


class KnownHeader:
    """All of a head but its first line, and what was found out about it by `reader`.

    A call with it has no body. At `places`, its fields have a value of each call's own.
    """

    __slots__ = (
        "_before",
        "_behind",
        "_block",
        "_read",
        "call",
        "fields",
        "frame",
        "headers",
        "keep_alive",
        "keys",
        "passed",
        "places",
        "reader",
        "shared",
        "spots",
        "target",
        "welcome",
    )

    headers: CallerHeaders
    frame: Field | None
    """What frames the body on its way to Zoom."""
    spots: tuple[Spot, ...]
    """Which of `headers.kept` have a value of each call's own."""
    _read: tuple[tuple[bytes, int], ...]
    """Which of `headers.special`, and the numbers of their values."""

    def __init__(self, block: bytes, fields: tuple[Field, ...], *, keep_alive: bool) -> None:
        """`block` begins with the end of the first line."""
        self._block = self._behind = block
        self._before: tuple[bytes, ...] = ()
        """What stands before each of the values that change; `_behind` is what follows the last."""
        self.fields = fields
        self.keep_alive = keep_alive
        self.places: tuple[int, ...] = ()
        self.reader: object | None = None
        """None: nobody has read it yet."""
        self.shared: Repeated | None = None
        """What goes on to Zoom."""
        self.welcome = False
        """Whether a call with it comes the way it should."""
        self.passed: Passed | None = None
        self.call: Call | None = None
        """The one that it came with last and was admitted, and what decides about that."""
        self.target = b""
        self.keys: Keys | None = None

    def values_in(self, data: bytes, at: int) -> tuple[bytes, ...] | None:
        """The values of its own, if from `at` on `data` is this header; None: it is not."""
        behind = self._behind
        if not data.endswith(behind):
            return None
        if not self._before:
            return () if len(data) - at == len(behind) else None
        values = []
        for piece in self._before:
            if not data.startswith(piece, at):
                return None
            begin = at + len(piece)
            at = data.find(b"\r", begin)
            value = data[begin:at]
            if not _VALUE.fullmatch(value):
                return None
            values.append(value)
        return tuple(values) if len(data) - at == len(behind) else None

    def fields_with(self, values: tuple[bytes, ...]) -> tuple[Field, ...]:
        """The header's fields in a call with these values."""
        fields = [*self.fields]
        for place, value in zip(self.places, values, strict=True):
            fields[place] = fields[place][0], value
        return tuple(fields)

    def headers_with(self, values: tuple[bytes, ...]) -> CallerHeaders:
        """`headers` of a call with these values."""
        if not values:
            return self.headers
        kept, special = self.headers
        kept = [*kept]
        for place, number in self.spots:
            kept[place] = kept[place][0], values[number]
        return CallerHeaders(
            kept, {**special, **{name: (values[number],) for name, number in self._read}}
        )

    def loosen(self, block: bytes, fields: tuple[Field, ...]) -> bool:
        """Take a header that came for the same, if only values differ that may; tell whether so.

        What was found out is void.
        """
        known = self.fields
        if len(known) != len(fields):
            return False
        places = set(self.places)
        names = [name.lower() for name, _ in known]
        for place, (old, new) in enumerate(zip(known, fields, strict=True)):
            if old != new:
                name = names[place]
                if old[0] != new[0] or not may_vary(name) or names.count(name) > 1:
                    return False
                places.add(place)
        if len(places) > _MOST_SPOTS or not self._cut(tuple(sorted(places))):
            return False
        self.reader = None
        return self.values_in(block, 0) is not None

    def _cut(self, places: tuple[int, ...]) -> bool:
        """Cut the block where these fields' values are; tell whether each is where it should be."""
        lines = self._block.split(_LINE_END)
        if len(lines) != len(self.fields) + 3:  # around them are the first line's end and two more
            return False
        before, begin = [], 0
        for place in places:
            name, value = self.fields[place]
            # The first line's end is the block's begin.
            if lines[place + 1] != name + b": " + value:
                return False
            before.append(_LINE_END.join([*lines[begin : place + 1], name + b": "]))
            begin = place + 1
            lines[begin] = b""
        self.places, self._before = places, tuple(before)
        self._behind = _LINE_END.join(lines[begin:])
        return True

    def read_by(
        self, reader: object, head: tuple[Field, ...], headers: CallerHeaders, limit: int
    ) -> bool:
        """Keep what `reader` made of `head`; whatever another one has found out is void.

        Tell whether it holds for calls with other values; `limit`: bytes that a header may have.
        """
        self.reader = None
        self.shared, self.welcome, self.passed = None, False, None
        self.call = self.keys = None
        if self.places and len(self._block) + _LONGEST_VALUE * len(self.places) > limit:
            return False
        spots, read = [], []
        for number, place in enumerate(self.places):
            name = head[place][0].lower()
            if name in headers.special:
                if name not in VARIES:  # it shows keys
                    return False
                read.append((name, number))
            spots += [(at, number) for at, one in enumerate(headers.kept) if one is head[place]]
        self.reader, self.headers = reader, headers
        self.spots, self._read = tuple(spots), tuple(read)
        return True

    def again(self, method: str, target: bytes, keys: Keys) -> "Call | None":
        """The call that was admitted last, if this is the same to the byte, and the keys are.

        Its fields may have other values.
        """
        call = self.call
        if call is None or self.target != target or call.method != method or self.keys is not keys:
            return None
        return call

    def admitted(self, call: "Call", target: bytes, keys: Keys) -> None:
        """With `target` as it came, while these keys are in force."""
        self.call, self.target, self.keys = call, target, keys


class Repeats:
    """The header that came last on a connection, if it may come again."""

    __slots__ = ("_head", "_last", "_left", "known")

    def __init__(self) -> None:
        self.known: KnownHeader | None = None
        self._left = _TRIES
        self._last = b""
        """The head with the known header that came last, if it has no values of its own."""
        self._head: _Head | None = None
        """What is its own."""

    def first_line(self, data: bytes) -> _Head | None:
        """What is its own, if `data` is a head with the known header, and nothing else."""
        if data == self._last:
            return self._head
        known = self.known
        line = _LINE.match(data)
        if known is None or line is None:
            return None
        values = known.values_in(data, line.end())
        if values is None:
            return None
        self._left = _TRIES
        head = _METHODS[line[1]], line[2], values
        if not values:
            self._last, self._head = data, head
        return head

    def learn(self, data: bytes, message: RawRequestMessage, body: StreamReader) -> None:
        """Remember the header of a call that the parser made of `data`, and of nothing before."""
        before, self.known = self.known, None
        self._last, self._head = b"", None
        if not self._left or body is not EMPTY_PAYLOAD or message.upgrade:
            return
        line = _LINE.match(data)
        if (
            line is None
            or len(data) > _LONGEST
            or data.find(_END) != len(data) - len(_END)
            or message.version != HttpVersion11
        ):
            return
        self._left -= 1
        block, fields = data[line.end() :], message.raw_headers
        if before is not None and before.loosen(block, fields):
            self.known = before
        else:
            self.known = KnownHeader(block, fields, keep_alive=not message.should_close)
