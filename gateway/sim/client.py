"""A small client of the simulator, for tests and trials."""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its body read, not decompressed."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body as JSON. Raises ValueError."""
        return json.loads(self.body)


class SimClient:
    """Calls a simulator: `async with SimClient(sim.url) as client: …`.

    Raises aiohttp.ClientError when the simulator drops or cuts an answer.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self, method: str, target: str, *, headers: Headers | None = None, data: Any = None
    ) -> Reply:
        """Send one request without following redirects."""
        if self._session is None:
            raise RuntimeError("use the client as a context manager")
        url = URL(self.url + target, encoded=True)
        async with self._session.request(
            method, url, headers=headers, data=data, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def token_request(
        self,
        client_id: str = "demo-client",
        secret: str = "demo-secret",  # noqa: S107  the simulator's own
        **form: str,
    ) -> Reply:
        """Ask for a token; `form` adds to or replaces the usual fields."""
        data = {"grant_type": "account_credentials", "account_id": "demo-account"} | form
        return await self.request(
            "POST", "/oauth/token", headers=basic(client_id, secret), data=data
        )

    async def mint(self, index: int = 0, *, second_app: bool = False) -> str:
        """Return a new token of a demo app. Raises ValueError when it is not granted."""
        suffix = "-2" if second_app else ""
        reply = await self.token_request(
            f"demo-client{suffix}", f"demo-secret{suffix}", token_index=str(index)
        )
        if reply.status != 200:  # noqa: PLR2004  HTTP's OK
            raise ValueError(f"no token: {reply.status} {reply.body!r}")
        return str(reply.json()["access_token"])

    async def call(
        self,
        token: str,
        target: str = "/v2/users/me",
        method: str = "GET",
        *,
        headers: Headers | None = None,
        data: Any = None,
    ) -> Reply:
        """Call the API with a token."""
        head = {"Authorization": f"Bearer {token}", **(headers or {})}
        return await self.request(method, target, headers=head, data=data)

    async def control(self, verb: str, data: Any = None, method: str = "POST") -> Any:
        """Use a control verb; returns its JSON. Raises ValueError when it is not accepted."""
        body = None if data is None else json.dumps(data).encode()
        reply = await self.request(method, f"/_sim/{verb}", data=body)
        if reply.status != 200:  # noqa: PLR2004  HTTP's OK
            raise ValueError(f"{reply.status}: {reply.json()['error']}")
        return reply.json()

    async def state(self) -> Any:
        return await self.control("state", method="GET")

    async def faults(self, **faults: Any) -> Any:
        """Replace all faults."""
        return await self.control("faults", faults, "PUT")

    async def raw(self, data: bytes) -> bytes:
        """Send bytes on a new connection, and return all that comes until it is closed.

        The data must make the server close: `Connection: close`, or a malformed request.
        """
        url = URL(self.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        try:
            writer.write(data)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return the Authorization header of a client."""
    plain = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {plain}"}
