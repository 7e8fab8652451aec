"""The proxy that everyone writes first, on asyncio's own loop. Arguments: port, upstream."""

import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, TCPConnector, web

PORT, UPSTREAM = sys.argv[1:]
DROPPED = {"host", "authorization", "connection", "content-length", "transfer-encoding"}
app = web.Application(client_max_size=1 << 30)


async def session(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession(UPSTREAM, connector=TCPConnector(limit=0)) as app["session"]:
        yield


async def proxy(request: web.Request) -> web.Response:
    headers = {name: text for name, text in request.headers.items() if name.lower() not in DROPPED}
    headers["Authorization"] = "Bearer a-fixed-token"
    body = await request.read() or None
    async with request.app["session"].request(
        request.method, request.rel_url, headers=headers, data=body
    ) as answer:
        kept = {name: text for name, text in answer.headers.items() if name.lower() not in DROPPED}
        return web.Response(status=answer.status, headers=kept, body=await answer.read())


app.cleanup_ctx.append(session)
app.router.add_route("*", "/{path:.*}", proxy)
web.run_app(app, host="127.0.0.1", port=int(PORT), access_log=None, print=None)
