"""The calls of the soak: what each asks for, how its caller behaves, and what is right then."""

import asyncio
import hashlib
import json
import random
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.support.raw_http import Caller, Heard, request
from tests.support.wrecks import Wreck, download

PATIENCE: Final = 40.0
"""Seconds after which a call is stuck."""

TIRED: Final = 30.0
"""Seconds after which a caller uses an idle connection no more: the gateway keeps it for longer."""

PIECE: Final = 65_536

ONCE: Final = frozenset({"POST", "PATCH"})
"""Methods of which Zoom may act on one sending alone; the others may be repeated."""

_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """A call. Sizes in bytes, times in seconds; `leaves` is where its caller vanishes."""

    kind: str
    method: str = "GET"
    wreck: Wreck = Wreck.NONE
    framing: str = "length"
    size: int = 0
    delay: float = 0.0
    status: int = 503
    upload: int | None = None
    chunked: bool = False
    leaves: str = ""
    pause: float = 0.0
    """How long the caller takes nothing of the answer's body."""
    old: bool = False
    """HTTP/1.0."""

    @property
    def timed(self) -> bool:
        """Whether nothing but the gateway makes it slow."""
        return self.kind in {"get", "post"}


@dataclass(slots=True)
class Outcome:
    """What the caller saw; `status` 0: no answer."""

    status: int = 0
    complete: bool = False
    body: bytes = b""
    slug: str = ""
    retry_after: bytes = b""
    problem: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        whole = "whole" if self.complete else "cut"
        return f"{self.status} {whole} {self.slug} {self.problem} {self.body[:120]!r}"


# Which calls there are. The shares of a kind are out of a thousand.

Make = Callable[[random.Random], Plan]


def _get(chance: random.Random) -> Plan:
    return Plan("get", old=chance.random() < 0.05)


def _post(chance: random.Random) -> Plan:
    return Plan("post", "POST", upload=chance.randint(0, 2000), chunked=chance.random() < 0.3)


def _upload(chance: random.Random) -> Plan:
    size = int(min(8e6, chance.lognormvariate(12.0, 1.6)))
    method = chance.choice(["POST", "PUT", "PATCH"])
    return Plan("upload", method, upload=size, chunked=chance.random() < 0.5)


def _download(chance: random.Random) -> Plan:
    size = int(min(4e6, chance.lognormvariate(11.5, 1.5)))
    return Plan("download", size=size, framing=chance.choice(["length", "chunked", "close"]))


def _slow_answer(chance: random.Random) -> Plan:
    return Plan("slow answer", chance.choice(["GET", "POST"]), delay=chance.uniform(0.1, 3.0))


def _slow_reader(chance: random.Random) -> Plan:
    framing = chance.choice(["length", "chunked"])
    return Plan("slow reader", size=3_000_000, framing=framing, pause=chance.uniform(0.2, 2.0))


def _no_answer(chance: random.Random) -> Plan:
    wreck = chance.choice([Wreck.RESET, Wreck.CLOSE, Wreck.HALF, Wreck.HEAD_CUT, Wreck.GARBAGE])
    method = chance.choice(["GET", "POST", "DELETE"])
    return Plan("no answer", method, wreck, old=chance.random() < 0.2)


def _lost_upload(chance: random.Random) -> Plan:
    return Plan("lost upload", "POST", Wreck.RESET_UPLOAD, upload=chance.randint(1, 3_000_000))


def _cut_answer(chance: random.Random) -> Plan:
    wreck, framing = chance.choice(
        [
            (Wreck.CUT, "length"),
            (Wreck.CUT, "chunked"),
            (Wreck.CUT_HALF, "length"),
            (Wreck.CUT_HALF, "chunked"),
            (Wreck.RESET_BODY, "length"),
            (Wreck.RESET_BODY, "chunked"),
            (Wreck.RESET_BODY, "close"),
        ]
    )
    size = chance.choice([0, 500, 100_000, 1_000_000])
    return Plan("cut answer", "GET", wreck, framing, size, old=chance.random() < 0.5)


def _front(chance: random.Random) -> Plan:
    status = chance.choice([429, 500, 502, 503, 504])
    return Plan("front", chance.choice(["GET", "POST"]), Wreck.FRONT, status=status)


def _stale(chance: random.Random) -> Plan:
    return Plan("stale", chance.choice(["GET", "GET", "GET", "POST"]), Wreck.STALE)


def _leaving(chance: random.Random) -> Plan:
    return Plan("leaving", chance.choice(["GET", "POST"]), chance.choice(_LEAVINGS))


_LEAVINGS: Final = (Wreck.LEAVE, Wreck.LEAVE_HALF)


def _vanish(chance: random.Random) -> Plan:
    leaves = chance.choice(["waiting", "upload", "download", "half"])
    upload = chance.randint(100_000, 2_000_000) if leaves == "upload" else None
    return Plan(
        f"vanish {leaves}",
        "GET" if upload is None else "POST",
        delay=0.5 if leaves in {"waiting", "half"} else 0.0,
        size=2_000_000 if leaves == "download" else 0,
        upload=upload,
    )


SHARES: Final[tuple[tuple[Make, int], ...]] = (
    (_get, 560),
    (_post, 150),
    (_upload, 30),
    (_download, 50),
    (_slow_answer, 40),
    (_slow_reader, 10),
    (_no_answer, 30),
    (_lost_upload, 10),
    (_cut_answer, 30),
    (_front, 30),
    (_stale, 20),
    (_leaving, 20),
    (_vanish, 20),
)


def plan(chance: random.Random) -> Plan:
    (make,) = chance.choices([one for one, _ in SHARES], [share for _, share in SHARES])
    return make(chance)


# How they are made.


class Callers:
    """Callers of one gateway; they keep their connections, and use the warmest first."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._idle: list[tuple[float, Caller]] = []
        self.opened = 0

    async def call(self, made: Plan, nonce: str) -> Outcome:
        """Make a call. Raises nothing."""
        began = time.monotonic()
        outcome = Outcome()
        caller: Caller | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                caller = await self._connection()
                await self._converse(caller, made, nonce, outcome)
        except TimeoutError:
            outcome.problem = "stuck"
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            outcome.problem = outcome.problem or type(error).__name__
        finally:
            outcome.seconds = time.monotonic() - began
            if caller is not None and not (outcome.problem == "" and self._keep(caller, outcome)):
                caller.writer.transport.abort()
        return outcome

    def close(self) -> None:
        for _, caller in self._idle:
            caller.writer.close()
        self._idle.clear()

    async def _connection(self) -> Caller:
        now = time.monotonic()
        while self._idle:
            since, caller = self._idle.pop()
            if now - since < TIRED and not caller.reader.at_eof():
                return caller
            caller.writer.close()
        self.opened += 1
        return await Caller.connect(self._address)

    def _keep(self, caller: Caller, outcome: Outcome) -> bool:
        if not outcome.complete:
            return False
        self._idle.append((time.monotonic(), caller))
        return True

    async def _converse(self, caller: Caller, made: Plan, nonce: str, outcome: Outcome) -> None:
        sending = asyncio.create_task(self._send(caller, made, nonce))
        try:
            if made.leaves:
                await sending
                await self._leave(caller, made, outcome)
            else:
                await self._hear(caller, made, outcome)
        finally:
            # An early answer, or a reset, leaves a body half sent; the answer is what counts.
            early = not sending.done()
            sending.cancel()
            await asyncio.wait([sending])
            if early or (not sending.cancelled() and sending.exception() is not None):
                outcome.problem = outcome.problem or "half sent"

    async def _hear(self, caller: Caller, made: Plan, outcome: Outcome) -> None:
        heard = await caller.hear_head(PATIENCE)
        outcome.status = heard.status
        outcome.slug = b"".join(heard.values(b"x-zoom-gateway-error")).decode()
        outcome.retry_after = b"".join(heard.values(b"retry-after"))
        await asyncio.sleep(made.pause)
        await caller._body(heard)
        outcome.body, outcome.complete = heard.body, heard.complete
        if made.old or _closes(heard):
            outcome.problem = "closed"

    async def _send(self, caller: Caller, made: Plan, nonce: str) -> None:
        await caller.send(head(made, nonce))
        if made.upload is None:
            return
        body = download(nonce, made.upload)
        end = len(body) // 2 if made.leaves == "upload" else len(body)
        for start in range(0, end, PIECE):
            piece = body[start : min(end, start + PIECE)]
            await caller.send(_chunk(piece) if made.chunked else piece)
        if made.chunked and end == len(body):
            await caller.send(b"0\r\n\r\n")

    async def _leave(self, caller: Caller, made: Plan, outcome: Outcome) -> None:
        if made.leaves == "half":
            caller.writer.write_eof()
            outcome.body = await caller.reader.read(-1)
        elif made.leaves == "download":
            outcome.status = (await caller.hear_head()).status
        outcome.problem = "left"
        wire = caller.writer.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _closes(heard: Heard) -> bool:
    return b"close" in [value.lower() for value in heard.values(b"connection")]


def head(made: Plan, nonce: str) -> bytes:
    asked = f"nonce={nonce}&wreck={made.wreck}&framing={made.framing}&status={made.status}"
    asked += f"&delay={made.delay:.3f}&size={made.size}"
    fields = []
    if made.upload is not None:
        chunked = b"Transfer-Encoding: chunked"
        fields = [chunked if made.chunked else b"Content-Length: %d" % made.upload]
    version = b"1.0" if made.old else b"1.1"
    target = f"/v2/users/me/meetings?{asked}".encode()
    return request(target, *fields, method=made.method.encode(), version=version)


# What is right.


def wrong(made: Plan, nonce: str, outcome: Outcome, acted: int) -> str:
    """What is wrong with what a caller saw; nothing: `""`. `acted` is how often Zoom acted."""
    if made.method in ONCE and acted > 1:
        return f"Zoom acted {acted} times"
    if outcome.problem == "stuck":
        return "stuck"
    if made.leaves:
        return ""
    if made.wreck in {Wreck.CUT, Wreck.CUT_HALF, Wreck.RESET_BODY}:
        whole = outcome.status == 200 and outcome.complete
        return "looks complete" if whole or outcome.status not in {0, 200, 502} else ""
    if made.wreck is Wreck.FRONT:
        passed = (outcome.status, outcome.retry_after) == (made.status, b"7")
        return "" if passed and b"Bad gateway" in outcome.body else "the front's page is not there"
    if made.wreck in _UNANSWERED:
        return "" if (outcome.status, outcome.slug) == (502, "upstream_broken") else "not told"
    if made.wreck is Wreck.STALE and made.method == "POST" and outcome.status == 502:
        return "acted, and yet an error" if acted else ""
    return _unlike(made, nonce, outcome, acted)


_UNANSWERED: Final = frozenset(
    {Wreck.RESET, Wreck.CLOSE, Wreck.HALF, Wreck.HEAD_CUT, Wreck.GARBAGE, Wreck.RESET_UPLOAD}
)


def _unlike(made: Plan, nonce: str, outcome: Outcome, acted: int) -> str:
    """How a good answer differs from what it should be."""
    if (outcome.status, outcome.complete) != (200, True):
        return "no good answer"
    if made.method in ONCE and acted != 1:
        return f"Zoom acted {acted} times, and said that it did"
    if made.size:
        return "" if outcome.body == download(nonce, made.size) else "another body"
    sent = download(nonce, made.upload or 0)
    echo = {"nonce": nonce, "size": len(sent), "sha256": hashlib.sha256(sent).hexdigest()}
    return "" if json.loads(outcome.body) == echo else "another echo"
