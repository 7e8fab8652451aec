"""Asks Zoom, with a harmless call, whether a token is alive."""

from collections.abc import Callable
from typing import Final

from gateway.core.errors import UpstreamError
from gateway.ports import Headers, Probe, Upstream, UpstreamAnswer, UpstreamRequest
from gateway.zoom import USER_AGENT

MAX_BODY: Final = 65_536
"""Bytes of an answer that are read: a refusal has a hundred."""

IsRefusal = Callable[[int, bool, bytes, str], bool]
"""Whether an answer refuses the token: status, whether it is one to HEAD, the body's first
64 KiB, its Content-Encoding."""


class TokenProber:
    """Implements `Prober`. `host` is what the API's `Host` header says."""

    def __init__(self, upstream: Upstream, host: bytes, is_refusal: IsRefusal) -> None:
        self._upstream = upstream
        self._host = host
        self._is_refusal = is_refusal

    async def probe(self, probe: Probe) -> bool | None:
        """True: the token is alive. False: refused. None: Zoom gave no answer."""
        try:
            answer = await self._upstream.send(self._request(probe))
            try:
                body = await _read(answer)
            finally:
                await answer.close()
        except UpstreamError:
            return None
        return not self._is_refusal(answer.status, False, body, _encoding(answer.headers))

    def _request(self, probe: Probe) -> UpstreamRequest:
        return UpstreamRequest(
            method="GET",
            target=probe.target,
            headers=(
                (b"Host", self._host),
                (b"User-Agent", USER_AGENT.encode("ascii")),
                (b"Accept", b"application/json"),
                (b"Authorization", b"Bearer " + probe.token.reveal().encode("ascii")),
            ),
        )


async def _read(answer: UpstreamAnswer) -> bytes:
    body = bytearray()
    async for chunk in answer.chunks():
        body += chunk
        if len(body) >= MAX_BODY:
            break
    return bytes(body[:MAX_BODY])


def _encoding(headers: Headers) -> str:
    values = [value for name, value in headers if name.lower() == b"content-encoding"]
    return b", ".join(values).decode("latin-1").strip()
