"""Headers that callers repeat on a connection, byte for byte, call after call.

Most clients do: only the first line differs. Such a header has been read as one by the parser, and
everything that was found out about it holds again, as long as the same objects are in force.
"""

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from gateway.core.headers import CallerHeaders, Field, Repeated
from gateway.core.keys import Keys
from gateway.core.policy import Group
from gateway.web.origins import Origin

if TYPE_CHECKING:
    from gateway.web.admit import Call

_LINE: Final = re.compile(
    rb"(GET|HEAD|DELETE) (/[A-Za-z0-9/._~%?&=:@!$'()*+,;-]{0,2048}) HTTP/1\.1"
)
"""First lines that are read here: any parser takes them for what they are."""

_METHODS: Final = {b"GET": "GET", b"HEAD": "HEAD", b"DELETE": "DELETE"}

_END: Final = b"\r\n\r\n"

_LONGEST: Final = 4096
"""Bytes of a header that is remembered, for as long as the connection is there."""

_TRIES: Final = 8
"""Headers that are remembered in vain before a connection is taken for one that repeats none, since
its caller numbers its calls, say."""


class Passed(NamedTuple):
    """What the access rules made of a header: who shows it, by these keys and with this account."""

    keys: Keys
    account: str
    group: Group
    key: str
    """The name of the key that it shows; empty if it shows none."""


class KnownHeader:
    """All of a head but its first line, and what was found out about it by `reader`.

    A call with it has no body.
    """

    __slots__ = (
        "block",
        "call",
        "fields",
        "frame",
        "headers",
        "keep_alive",
        "key",
        "keys",
        "origin",
        "passed",
        "reader",
        "shared",
        "target",
        "welcome",
    )

    headers: CallerHeaders
    frame: Field | None
    """What frames the body on its way to Zoom."""

    def __init__(self, block: bytes, fields: tuple[Field, ...], *, keep_alive: bool) -> None:
        """`block` begins with the end of the first line."""
        self.block = block
        self.fields = fields
        self.keep_alive = keep_alive
        self.reader: object | None = None
        """None: nobody has read it yet."""
        self.shared: Repeated | None = None
        """What goes on to Zoom, to `origin`."""
        self.origin: Origin | None = None
        self.welcome = False
        """Whether a call with it comes the way it should."""
        self.passed: Passed | None = None
        self.call: Call | None = None
        """The one that it came with last and was admitted, and what decides about that."""
        self.key = ""
        """The name of the key that it showed."""
        self.target = b""
        self.keys: Keys | None = None

    def read_by(self, reader: object, headers: CallerHeaders) -> None:
        """Whatever another reader has found out is void."""
        self.reader, self.headers = reader, headers
        self.shared, self.welcome, self.passed = None, False, None
        self.call = self.keys = self.origin = None

    def again(self, method: str, target: bytes, keys: Keys) -> "Call | None":
        """The call that was admitted last, if this is the same to the byte, and the keys are.

        And if it would go where that went.
        """
        call = self.call
        if call is None or self.target != target or call.method != method or self.keys is not keys:
            return None
        api = call.account.api
        return call if api is None or api.origin is call.origin else None

    def admitted(self, call: "Call", target: bytes, keys: Keys) -> None:
        """With `target` as it came, while these keys are in force."""
        self.call, self.target, self.keys = call, target, keys


class Repeats:
    """The header that came last on a connection, if it may come again."""

    __slots__ = ("_left", "known")

    def __init__(self) -> None:
        self.known: KnownHeader | None = None
        self._left = _TRIES

    def first_line(self, data: bytes) -> tuple[str, bytes] | None:
        """Method and target, if `data` is a head with the known header, and nothing else."""
        known = self.known
        line = _LINE.match(data)
        if known is None or line is None:
            return None
        block = known.block
        if len(data) - line.end() != len(block) or not data.endswith(block):
            return None
        self._left = _TRIES
        return _METHODS[line[1]], line[2]

    def learn(self, data: bytes, message: RawRequestMessage, body: StreamReader) -> None:
        """Remember the header of a call that the parser made of `data`, and of nothing before."""
        self.known = None
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
        block = data[line.end() :]
        self.known = KnownHeader(block, message.raw_headers, keep_alive=not message.should_close)
