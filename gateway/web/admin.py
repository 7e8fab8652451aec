"""The admin listener: for operators, probes and scrapers. It only ever reads."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from gateway.core.status import Readiness
from gateway.web import status_page

_log: Final = logging.getLogger(__name__)

HEADERS: Final = {
    "Server": "zoom-gateway",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer."""

_READING: Final = frozenset({"GET", "HEAD"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class AdminSources:
    """What the pages show, read anew for each request. All are quick and do not wait."""

    status: Callable[[], dict[str, Any]]
    """The body of `/status.json`."""
    readiness: Callable[[], Readiness]
    metrics: Callable[[str | None], tuple[bytes, str]]
    """From the request's Accept header to body and Content-Type."""


def build_admin(sources: AdminSources) -> web.Application:
    """Give the application; serve it without an access log."""
    pages = _Pages(sources)
    app = web.Application(middlewares=[_guard], client_max_size=1024)
    app.router.add_get("/livez", pages.livez)
    app.router.add_get("/readyz", pages.readyz)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/status.json", pages.status)
    app.router.add_get("/static/status.css", pages.style)
    app.router.add_get("/", pages.page)
    return app


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer that is no page is JSON, and every answer carries the same headers."""
    try:
        if request.method in _READING:
            response = await handler(request)
        else:
            response = _problem(405, "This listener only answers GET and HEAD.")
            response.headers["Allow"] = "GET, HEAD"
    except web.HTTPNotFound:
        response = _problem(404, "Nothing is served here. Try / or /status.json.")
    except web.HTTPException as error:
        response = _problem(error.status, HTTPStatus(error.status).phrase)
    except Exception:  # noqa: BLE001  a page that fails is answered like everything else
        _log.exception("An admin page failed")
        response = _problem(500, "The gateway failed: a fault of its own, see its log.")
    response.headers.update(HEADERS)
    return response


def _problem(status: int, message: str) -> web.Response:
    return web.json_response({"code": status, "message": message}, status=status)


class _Pages:
    def __init__(self, sources: AdminSources) -> None:
        self._sources = sources

    async def livez(self, _: web.Request) -> web.Response:
        """The process runs and its loop turns; nothing else is asked."""
        return web.Response(text="ok\n")

    async def readyz(self, _: web.Request) -> web.Response:
        readiness = self._sources.readiness()
        body = {
            "ready": readiness.ready,
            "state": readiness.state.value,
            "reasons": list(readiness.reasons),
        }
        return web.json_response(body, status=200 if readiness.ready else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._sources.metrics(request.headers.get("Accept"))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def status(self, _: web.Request) -> web.Response:
        return web.json_response(self._sources.status())

    async def style(self, _: web.Request) -> web.Response:
        return web.Response(body=status_page.style(), content_type="text/css", charset="utf-8")

    async def page(self, _: web.Request) -> web.Response:
        status = self._sources.status()
        # The first page imports the template engine: calls must not wait for that.
        text = await asyncio.to_thread(status_page.render, status)
        return web.Response(text=text, content_type="text/html")
