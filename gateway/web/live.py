"""The stream behind an open status page: one look at the gateway for all who look.

A reader has no queue. It is given the newest state whenever it can take one, so that a slow one
misses states and piles up nothing.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse, json_response

MOST: Final = 32
"""Open pages; one more is answered with 503."""

PERIOD: Final = 1.0
"""Seconds between two looks while somebody reads."""

SOON: Final = 0.1
"""Seconds between two looks when something happens to a token: several events make one."""

SHARE: Final = 0.05
"""Of its time the gateway looks at itself at most, however many accounts there are."""

BEAT: Final = 5.0
"""Seconds without news after which readers are told that there are none."""

STUCK: Final = 15.0
"""Seconds after which a reader that takes nothing is let go."""

_log: Final = logging.getLogger(__name__)


class Live:
    """Serves `/events`. Looks only while there is a reader."""

    def __init__(
        self, look: Callable[[], Mapping[str, Any]], headers: Mapping[str, str], most: int = MOST
    ) -> None:
        """`look` gives the page's view; its `at` alone is no news. All answers have `headers`."""
        self._look = look
        self._headers = {**headers, "Content-Type": "text/event-stream"}
        self._most = most
        self._readers: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._shown: dict[str, Any] = {}
        self._state = b""
        self._number = 0
        """Of the state; grows with each that differs."""
        self._told = asyncio.Event()
        """Set, and replaced, at each new state."""
        self._poked = asyncio.Event()
        self._closed = False

    @property
    def readers(self) -> int:
        return len(self._readers)

    def poke(self) -> None:
        """Something happened to a token: look soon."""
        self._poked.set()

    async def serve(self, request: BaseRequest) -> StreamResponse:
        """Answer one reader until it goes away, or the gateway ends."""
        if self._closed or len(self._readers) >= self._most:
            body = {"code": 503, "message": f"There are {self._most} open pages already."}
            return json_response(body, status=503, headers={"Retry-After": "30"})
        response = StreamResponse(headers=self._headers)
        if request.method == "HEAD":
            response.content_length = 0
            return response
        if self._looking is None:
            self._observe()
            self._looking = asyncio.create_task(self._run(), name="looks for the status page")
        # A task of its own, because only that can be ended without ending the connection's.
        reading = asyncio.create_task(self._read(request, response), name="status page")
        self._readers.add(reading)
        reading.add_done_callback(self._left)
        try:
            await asyncio.wait([reading])
        finally:
            reading.cancel()
        transport = request.transport
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()  # it would wait for the reader to take the rest
        return response

    def _left(self, reading: "asyncio.Task[None]") -> None:
        self._readers.discard(reading)
        if not self._readers and self._looking is not None:
            self._looking.cancel()
            self._looking = None
        problem = None if reading.cancelled() else reading.exception()
        if problem is not None:
            _log.error("A stream of the status page failed", exc_info=problem)

    async def _read(self, request: BaseRequest, response: StreamResponse) -> None:
        seen = 0
        # It went away, or takes nothing: that is its own affair.
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(STUCK):
                await response.prepare(request)
            while True:
                told, number, state = self._told, self._number, self._state
                if number == seen:
                    state = b""
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(BEAT):
                            await told.wait()
                            continue
                seen = number
                async with asyncio.timeout(STUCK):
                    await response.write(state or _event("beat", str(self._shown["at"])))

    # One look for all.

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            self._poked.clear()
            try:
                self._observe()
            except Exception:  # noqa: BLE001  a page that stays as it was is no reason to end
                _log.exception("The status page's state cannot be told")
            spent = time.monotonic() - began
            await asyncio.sleep(max(SOON, spent / SHARE))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD - SOON):
                    await self._poked.wait()

    def _observe(self) -> None:
        view = dict(self._look())
        before, self._shown = self._shown, view
        if {**before, "at": None} == {**view, "at": None}:
            return
        self._number += 1
        self._state = _event("state", json.dumps(view, separators=(",", ":")))
        told, self._told = self._told, asyncio.Event()
        told.set()

    async def close(self) -> None:
        """Let all readers go, and take no more."""
        self._closed = True
        tasks = [*self._readers, *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _event(name: str, data: str) -> bytes:
    """JSON as `json.dumps` writes it, and moments, hold no line break."""
    return f"event: {name}\ndata: {data}\n\n".encode()
