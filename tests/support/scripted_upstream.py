"""An `Upstream` in memory that answers from a script and remembers what it was sent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from gateway.ports import Headers, UpstreamRequest

Piece = bytes | Exception | asyncio.Event
"""A piece of a body: bytes, an error to raise, or something to wait for."""

ZOOM_REFUSES = b'{"code":124,"message":"Invalid access token."}'


@dataclass
class Reply:
    """`reads`: how much of the call's body is read before the head: `all`, `some` or `none`.

    After `some`, the rest is read behind the answer until it is closed, as `Upstream` says.
    """

    status: int = 200
    headers: Sequence[tuple[bytes, bytes]] | None = None
    body: Sequence[Piece] = ()
    reason: str = "OK"
    reads: str = "all"
    fails: Exception | None = None
    waits: asyncio.Event | None = None

    def fields(self) -> list[tuple[bytes, bytes]]:
        if self.headers is not None:
            return list(self.headers)
        size = sum(len(piece) for piece in self.body if isinstance(piece, bytes))
        return [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % size)]


def refusal(**fields: object) -> Reply:
    reply = Reply(401, body=[ZOOM_REFUSES], reason="Unauthorized")
    for name, value in fields.items():
        setattr(reply, name, value)
    return reply


@dataclass
class Sent:
    """What one sending was."""

    method: str
    target: bytes
    headers: Headers
    body: bytearray = field(default_factory=bytearray)
    has_body: bool = False
    body_ended: bool = False
    closed: bool = False
    fresh: bool = False
    reusable: bool = True

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def token(self) -> bytes:
        (value,) = self.values(b"authorization")
        return value


class ScriptedAnswer:
    def __init__(self, reply: Reply, sent: Sent, feeding: "asyncio.Task[None] | None") -> None:
        self.status = reply.status
        self.reason = reply.reason
        self.headers: Headers = reply.fields()
        self._reply = reply
        self._sent = sent
        self._feeding = feeding
        self._begun = False

    async def chunks(self) -> AsyncIterator[bytes]:
        self._begun = True
        for piece in self._reply.body:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            elif isinstance(piece, Exception):
                raise piece
            else:
                yield piece

    def whole(self, limit: int) -> bytes | None:
        """All of it, if nothing that is scripted is to be seen on the way."""
        if type(self._reply.body) not in (list, tuple):
            return None  # it counts how it is read
        pieces = [piece for piece in self._reply.body if isinstance(piece, bytes)]
        body = b"".join(pieces)
        at_hand = len(pieces) == len(self._reply.body) and len(body) <= limit
        if self._begun or self._feeding is not None or not at_hand:
            return None
        self._sent.closed = True
        return body

    async def close(self, *, reuse: bool = True) -> None:
        self._sent.closed = True
        self._sent.reusable = reuse
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.wait([self._feeding])


class ScriptedUpstream:
    """Implements `Upstream`. `script` gives the reply to the n-th sending; the last one stays."""

    def __init__(self, *script: Reply) -> None:
        self.script: list[Reply] = list(script) or [Reply(body=[b"{}"])]
        self.choose: Callable[[Sent], Reply] | None = None
        """Chooses the reply instead, once the whole body is there."""
        self.sent: list[Sent] = []
        self.arrived = asyncio.Event()
        self.cancelled = 0

    async def send(self, request: UpstreamRequest) -> ScriptedAnswer:
        assert isinstance(request.target, bytes)
        sent = Sent(request.method, request.target, list(request.headers))
        sent.has_body = request.body is not None
        sent.fresh = request.fresh
        self.sent.append(sent)
        self.arrived.set()
        reply = self._next(sent) if self.choose is None else None
        feeding = None
        try:
            if request.body is not None and (reply is None or reply.reads == "all"):
                await _feed(request.body, sent)
            if reply is None:
                reply = self._next(sent)
            elif request.body is not None and reply.reads == "some":
                sent.body += await anext(request.body)
                feeding = asyncio.create_task(_feed(request.body, sent))
            if reply.waits is not None:
                await reply.waits.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if reply.fails is not None:
            raise reply.fails
        return ScriptedAnswer(reply, sent, feeding)

    async def close(self) -> None:
        pass

    def _next(self, sent: Sent) -> Reply:
        if self.choose is not None:
            return self.choose(sent)
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


async def _feed(body: AsyncIterator[bytes], sent: Sent) -> None:
    async for chunk in body:
        assert chunk
        sent.body += chunk
    sent.body_ended = True
