"""The admin listener: for operators, probes and scrapers.

It only ever reads, but for what `gateway.web.actions` allows.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from gateway.core.course import Asked
from gateway.core.hosts import HostNames
from gateway.core.status import Readiness
from gateway.web import actions, status_page
from gateway.web.errors import HOST_REFUSED
from gateway.web.live import Live

_log: Final = logging.getLogger(__name__)

HEADERS: Final = {
    "Server": "zoom-gateway",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer."""

TURN: Final = 20
"""Accounts that `/status.json` writes before calls have their turn."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _no_history(account: str) -> Mapping[str, Any]:
    del account
    return {}


def _no_account(account: str, caller: str) -> None:
    del account, caller


@dataclass(frozen=True, slots=True)
class AdminSources:
    """What the pages show, read anew for each request. All are quick and do not wait."""

    status: Callable[[], dict[str, Any]]
    """The body of `/status.json`."""
    readiness: Callable[[], Readiness]
    metrics: Callable[[str | None], Callable[[], tuple[bytes, str]]]
    """From the request's Accept header to what gives body and Content-Type: this may take long, and
    is called on another thread, always the same."""
    glance: Callable[[], dict[str, Any]] | None = None
    """What the page needs of that body, quicker: see `status_page.DETAILED`. None: all of it."""
    history: Callable[[str], Mapping[str, Any]] = _no_history
    """What happened to an account lately, by its name: more keys for its part of the status."""
    may_come: Callable[[bytes], bool] = HostNames().allow
    """Whether a request may have this `Host`: a name that a stranger's DNS may have given our
    address is one under which his page could read it all."""
    may_act: Callable[[], bool] = bool
    """`admin.allow_actions`, as it is now."""
    rotate: Callable[[str, str], Asked | None] = _no_account
    """Told an account's name and the caller's address. None: there is no such account."""


def look(sources: AdminSources) -> dict[str, Any]:
    """Give the status page's view."""
    return status_page.view(_status(sources, sources.glance or sources.status), sources.history)


def _status(sources: AdminSources, status: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return {**status(), "actions": ["rotate"] if sources.may_act() else []}


def build_admin(sources: AdminSources, live: Live | None = None) -> web.Application:
    """Give the application; serve it without an access log. Who gives `live` closes it."""
    live = live or Live(lambda: look(sources), HEADERS)
    pages = _Pages(sources)
    app = web.Application(middlewares=[_guard, _by_name(sources.may_come)], client_max_size=1024)
    app.on_cleanup.append(pages.close)
    app.router.add_get("/livez", pages.livez)
    app.router.add_get("/readyz", pages.readyz)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/status.json", pages.status)
    app.router.add_get("/events", live.serve)
    app.router.add_get("/static/{name}", pages.static)
    app.router.add_get("/", pages.page)
    app.router.add_post(actions.ROTATE, partial(_rotate, sources))
    return app


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer that is no page is JSON, and every answer carries the same headers."""
    try:
        response = await handler(request)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        response = _problem(405, f"Only {allowed} is answered here.")
        response.headers["Allow"] = allowed
    except web.HTTPNotFound:
        response = _problem(404, "Nothing is served here. Try / or /status.json.")
    except web.HTTPException as error:
        response = _problem(error.status, HTTPStatus(error.status).phrase)
    except Exception:  # noqa: BLE001  a page that fails is answered like everything else
        _log.exception("An admin page failed")
        response = _problem(500, "The gateway failed: a fault of its own, see its log.")
    response.headers.update(HEADERS)
    return response


def _by_name(may_come: Callable[[bytes], bool]) -> Any:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        hosts = request.headers.getall("Host", ())
        if not all(may_come(host.encode("utf-8", "surrogateescape")) for host in hosts):
            return _problem(403, HOST_REFUSED)
        return await handler(request)

    return check


def _problem(status: int, message: str) -> web.Response:
    return web.json_response({"code": status, "message": message}, status=status)


async def _rotate(sources: AdminSources, request: web.Request) -> web.Response:
    """Nothing waits between the look at what is allowed and the deed."""
    refusal = actions.refusal(request, allowed=sources.may_act())
    if refusal is not None:
        return _problem(*refusal)
    account = request.match_info["name"]
    asked = sources.rotate(account, request.remote or "")
    if asked is None:
        return _problem(404, "There is no such account here.")
    return web.json_response(actions.answer(account, asked), status=202)


class _Pages:
    def __init__(self, sources: AdminSources) -> None:
        self._sources = sources
        self._writer = ThreadPoolExecutor(1, "metrics")

    async def close(self, _: web.Application) -> None:
        self._writer.shutdown(wait=False, cancel_futures=True)

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
        write = self._sources.metrics(request.headers.get("Accept"))
        # With a hundred accounts it takes the time of many calls.
        loop = asyncio.get_running_loop()
        body, content_type = await loop.run_in_executor(self._writer, write)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def status(self, _: web.Request) -> web.Response:
        status = _status(self._sources, self._sources.status)
        accounts = status.pop("accounts")
        texts = []
        for number, one in enumerate(accounts, 1):
            texts.append(json.dumps({**one, **self._sources.history(one["name"])}))
            if number % TURN == 0:
                await asyncio.sleep(0)
        # By parts, so that calls need not wait until thousands of accounts are written.
        text = f'{json.dumps(status)[:-1]}, "accounts": [{", ".join(texts)}]}}'
        return web.Response(text=text, content_type="application/json")

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        kind = status_page.STATIC.get(name)
        if kind is None:
            raise web.HTTPNotFound
        return web.Response(body=status_page.static(name), content_type=kind, charset="utf-8")

    async def page(self, _: web.Request) -> web.Response:
        view = look(self._sources)
        # The first page imports the template engine: calls must not wait for that.
        text = await asyncio.to_thread(status_page.render, view)
        return web.Response(text=text, content_type="text/html")
