"""An API that refuses a share of its calls as Zoom does when a token was replaced: all that are
under way with it. Token endpoint and API in one, on a free port, which it prints.

A token is killed whenever fewer calls than the share were refused, if it was accepted before; so
each refusal is cured by one more sending. `GET /_count` gives calls and refusals since the last
time; `/_share/0.1` sets the share. Tokens are `token-N`.
"""

import asyncio
import json
import re
from typing import Final, cast

import uvloop

ANSWER: Final = b'{"id":"KDcuGIm1QgePTO8WbOqwIQ","about":"%s"}' % (b"x" * 357)
REFUSAL: Final = b'{"code":124,"message":"Invalid access token."}'
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TOKEN: Final = re.compile(rb"\r\nauthorization: *bearer token-(\d+)", re.IGNORECASE)


class Account:
    """The tokens, and the share that is refused."""

    share = 0.0
    newest = 0
    alive = True
    accepted = False
    """Whether the newest one was."""
    calls = 0
    refusals = 0

    def mint(self) -> bytes:
        self.newest += 1
        self.alive, self.accepted = True, False
        return json.dumps(
            {
                "access_token": f"token-{self.newest}",
                "token_type": "bearer",
                "expires_in": 3599,
                "scope": "user:read:admin",
                "api_url": "https://api.zoom.us",
            }
        ).encode()

    def takes(self, token: bytes) -> bool:
        self.calls += 1
        if self.accepted and self.refusals < self.share * self.calls:
            self.alive = False
        if self.alive and int(token) == self.newest:
            self.accepted = True
            return True
        self.refusals += 1
        return False

    def count(self) -> bytes:
        told = json.dumps({"calls": self.calls, "refusals": self.refusals}).encode()
        self.calls = self.refusals = 0
        return told


class Answering(asyncio.Protocol):
    def __init__(self, account: Account) -> None:
        self._account = account
        self._got = b""
        self._transport = cast(asyncio.Transport, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or (length and len(body) < int(length[1])):
            return
        self._got = b""
        self._answer(head.split(b" ", 2)[1], _TOKEN.search(head))

    def _answer(self, target: bytes, token: re.Match[bytes] | None) -> None:
        status, body = b"200 OK", ANSWER
        if target.startswith(b"/oauth/token"):
            body = self._account.mint()
        elif target == b"/_count":
            body = self._account.count()
        elif target.startswith(b"/_share/"):
            self._account.share, body = float(target.removeprefix(b"/_share/")), b"{}"
        elif token is None or not self._account.takes(token[1]):
            status, body = b"401 Unauthorized", REFUSAL
        self._transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (status, len(body), body)
        )


async def serve() -> None:
    account = Account()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(account), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


uvloop.run(serve())
