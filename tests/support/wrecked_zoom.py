"""An API that fails as each call asks it to, and keeps account of what reached it.

A call says in its query what is to happen to it: `nonce` names it, `wreck` is one of `Wreck`,
`delay` (seconds) comes before the answer, `size` (bytes) makes the answer a download, `framing` is
`length`, `chunked` or `close`. The answer tells the nonce and the digest of what arrived.
"""

import asyncio
import contextlib
import hashlib
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qs

from tests.support.wrecks import ASKED, INSTEAD, PAGE, REFUSED, Heard, Wreck, content

READ: Final = 65_536
HEAD: Final = 262_144
"""Bytes of a head: more than the gateway sends."""

BACKLOG: Final = 4096
"""Connections that wait to be accepted: a thousand calls may come at once."""

_RESET: Final = struct.pack("ii", 1, 0)
_FAREWELL: Final = 2.0
"""Seconds for the last bytes to leave."""

_LINE: Final = re.compile(rb"([A-Z]+) (/[\x21-\x7e]*) HTTP/1\.1")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([^\x00\r\n]*)")
_BANNED: Final = frozenset(
    {b"cookie", b"forwarded", b"keep-alive", b"proxy-authorization", b"te", b"trailer", b"upgrade"}
)


class WreckedZoom:
    """`lives` tells whether a bearer token is good."""

    def __init__(self, lives: Callable[[str], bool] = lambda _: True) -> None:
        self._lives = lives
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stale: set[str] = set()
        self.idle: set[asyncio.StreamWriter] = set()
        """Those that carried a call, and carry none."""
        self.heard: set[str] = set()
        """The calls other than GET and HEAD whose heads arrived."""
        self.port = 0
        self.release = asyncio.Event()
        self.calls = 0
        self.connections = 0
        """How many were accepted."""
        self.acted: Counter[str] = Counter()
        """How often each call other than GET and HEAD was acted on."""
        self.refused = 0
        self.violations: list[str] = []
        """What no call of the gateway's may be."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._writers)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=HEAD)
        self.port = self._server.sockets[0].getsockname()[1]

    def hang_up(self) -> None:
        """End every connection that carried a call and carries none, as a front that is tired."""
        for writer in tuple(self.idle):
            writer.close()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            talk = _Talk(self, reader, writer)
            while await talk.one():
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the gateway went away, or the test ended
        finally:
            self._writers.discard(writer)
            self.idle.discard(writer)
            writer.close()
            # Somebody must hear how it ended, or asyncio complains.
            try:
                async with asyncio.timeout(_FAREWELL):
                    await writer.wait_closed()
            except TimeoutError:
                writer.transport.abort()
            except OSError:
                pass

    # What a connection tells.

    def spent(self, nonce: str) -> bool:
        """Whether a call was met by a stale connection already."""
        if nonce in self._stale:
            return True
        self._stale.add(nonce)
        return False

    def accepts(self, call: Heard) -> bool:
        """Check a head; tell whether its token is good."""
        names = [name.lower() for name, _ in call.fields]
        values = call.values(b"authorization")
        lengths, codings = call.values(b"content-length"), call.values(b"transfer-encoding")
        problems = [
            *([] if len(values) == 1 else [f"{len(values)} Authorization fields"]),
            *([] if names.count(b"host") == 1 else ["not one Host"]),
            *([] if len(lengths) + len(codings) <= 1 else ["two framings"]),
            *(f"field {name!r}" for name in names if name in _BANNED),
            *(f"field {name!r}" for name in names if name.startswith(b"x-forwarded-")),
        ]
        self.violations += problems
        good = not problems and values[0].startswith(b"Bearer ")
        if good and self._lives(values[0][7:].decode("latin-1")):
            return True
        self.refused += 1
        return False


class _Talk:
    """One connection."""

    def __init__(
        self, zoom: WreckedZoom, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._zoom = zoom
        self._reader = reader
        self._writer = writer
        self._served = 0

    async def one(self) -> bool:
        """Hear a call and answer it; tell whether the connection goes on."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            # A caller that leaves while its head is on the way is the gateway's to wait for.
            if error.partial:
                self._zoom.violations.append("a head that was cut")
            return False
        if self._writer.is_closing():  # it came as this side hung up
            return False
        call = self._parsed(head)
        if call is None:
            return False
        self._zoom.calls += 1
        self._served += 1
        self._zoom.idle.discard(self._writer)
        if call.method not in {"GET", "HEAD"}:
            self._zoom.heard.add(call.nonce)
        goes_on = await self._attend(call)
        self._zoom.idle.add(self._writer)
        return goes_on

    async def _attend(self, call: Heard) -> bool:
        good = self._zoom.accepts(call)
        await self._hear_body(call)
        if not good:
            return await self._say(401, REFUSED)
        return await self._answer(call)

    def _parsed(self, head: bytes) -> Heard | None:
        first, *lines = head[:-4].split(b"\r\n")
        line, fields = _LINE.fullmatch(first), [_FIELD.fullmatch(one) for one in lines]
        if line is None or None in fields:
            self._zoom.violations.append(f"no head: {head[:200]!r}")
            return None
        target = line[2].decode("ascii")
        asked = {
            key: values[0]
            for key, values in parse_qs(target.partition("?")[2]).items()
            if key in ASKED and re.fullmatch(ASKED[key], values[0])
        }
        found = [(one[1], one[2]) for one in fields if one]
        return Heard(line[1].decode("ascii"), target, found, asked=asked)

    async def _hear_body(self, call: Heard) -> None:
        digest = hashlib.sha256()
        async for piece in self._pieces(call):
            digest.update(piece)
            call.size += len(piece)
            if call.wreck is Wreck.RESET_UPLOAD:
                self._reset()
                raise ConnectionResetError
        call.digest = digest.hexdigest()

    async def _pieces(self, call: Heard) -> AsyncIterator[bytes]:
        if call.values(b"transfer-encoding"):
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                async for piece in self._exactly(size):
                    yield piece
                await self._reader.readexactly(2)
            await self._reader.readexactly(2)
        elif lengths := call.values(b"content-length"):
            async for piece in self._exactly(int(lengths[0])):
                yield piece

    async def _exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            piece = await self._reader.read(min(size, READ))
            if not piece:
                raise ConnectionResetError
            size -= len(piece)
            yield piece

    async def _answer(self, call: Heard) -> bool:
        wreck = call.wreck
        if wreck is Wreck.STALE and self._served > 1 and not self._zoom.spent(call.nonce):
            return False
        if wreck is Wreck.FRONT:
            status = int(call.asked.get("status", "503"))
            extra = b"Content-Type: text/html\r\nRetry-After: 7\r\n"
            return await self._say(status, PAGE, extra=extra)
        if call.method not in {"GET", "HEAD"}:
            self._zoom.acted[call.nonce] += 1
        await self._pause(float(call.asked.get("delay", "0")))
        if wreck is Wreck.HELD:
            await self._zoom.release.wait()
        if wreck in INSTEAD:
            return await self._instead(wreck)
        body, framing = content(call), call.asked.get("framing", "length")
        spoilt = wreck in {Wreck.CUT, Wreck.CUT_HALF, Wreck.RESET_BODY}
        goes_on = await self._say(
            200, body, framing, end=len(body) // 2 if spoilt else None, head=call.method == "HEAD"
        )
        return await self._after(wreck) and goes_on

    async def _pause(self, seconds: float) -> None:
        """Take so long, unless the gateway leaves."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._reader.at_eof():
                raise ConnectionResetError
            await asyncio.sleep(min(left, 0.05))

    async def _instead(self, wreck: Wreck) -> bool:
        """What comes in the place of an answer."""
        if wreck is Wreck.SILENT:
            await self._reader.read(-1)
        elif wreck is Wreck.RESET:
            self._reset()
        elif wreck is Wreck.HALF:
            await self._end_half()
        elif wreck is Wreck.HEAD_CUT:
            self._writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        elif wreck is Wreck.GARBAGE:
            self._writer.write(b"\x15\x03\x03\x00\x02\x02\x28 no HTTP\r\n\r\n")
        return False

    async def _after(self, wreck: Wreck) -> bool:
        """What comes behind an answer, or the part of it that was said."""
        if wreck is Wreck.RESET_BODY:
            # What was said is to arrive before the reset does.
            await asyncio.sleep(0.02)
            self._reset()
        elif wreck in {Wreck.CUT_HALF, Wreck.LEAVE_HALF}:
            await self._end_half()
        return wreck in {Wreck.NONE, Wreck.STALE, Wreck.HELD}

    async def _end_half(self) -> None:
        self._writer.write_eof()
        await self._reader.read(-1)

    def _reset(self) -> None:
        wire = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()

    async def _say(
        self,
        status: int,
        body: bytes,
        framing: str = "length",
        *,
        extra: bytes = b"",
        end: int | None = None,
        head: bool = False,
    ) -> bool:
        """Say an answer, up to `end`; tell whether the connection can go on after it."""
        kind = {
            "length": b"Content-Length: %d\r\n" % len(body),
            "chunked": b"Transfer-Encoding: chunked\r\n",
            "close": b"Connection: close\r\n",
        }[framing]
        self._writer.write(b"HTTP/1.1 %d Said\r\n%b%b\r\n" % (status, extra, kind))
        for start in range(0, 0 if head else len(body) if end is None else end, READ):
            piece = body[start : len(body) if end is None else end][:READ]
            self._writer.write(
                b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece
            )
            await self._writer.drain()
        if framing == "chunked" and end is None and not head:
            self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        return framing != "close"


@asynccontextmanager
async def wrecked_zoom(lives: Callable[[str], bool] = lambda _: True) -> AsyncIterator[WreckedZoom]:
    zoom = WreckedZoom(lives)
    await zoom.start()
    try:
        yield zoom
    finally:
        await zoom.stop()
