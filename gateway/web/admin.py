"""The admin listener: for operators, probes and scrapers.

It only ever reads, but for what `gateway.web.actions` allows.
"""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response, StreamResponse, json_response

from gateway.core.course import Asked
from gateway.core.hosts import HostNames
from gateway.core.status import Readiness
from gateway.web import actions, status_page
from gateway.web.errors import HOST_REFUSED
from gateway.web.foreign import REFUSED, is_foreign, values
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

Handler = Callable[[BaseRequest], Awaitable[StreamResponse]]


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


class AdminSite:
    """Answers requests. Whoever makes one closes it, and the `live` that it is given.

    aiohttp's applications and their router would take a MiB, and their share of the start, for
    the few paths that there are.
    """

    def __init__(self, sources: AdminSources, live: Live | None = None) -> None:
        self._sources = sources
        self._pages = pages = _Pages(sources)
        live = live or Live(lambda: look(sources), HEADERS)
        self._by_path: dict[str, Handler] = {
            "/": pages.page,
            "/livez": pages.livez,
            "/readyz": pages.readyz,
            "/metrics": pages.metrics,
            "/status.json": pages.status,
            "/events": live.serve,
        }

    async def close(self) -> None:
        self._pages.close()

    async def answer(self, request: BaseRequest) -> StreamResponse:
        """Every answer that is no page is JSON, and every answer carries the same headers."""
        try:
            response = await self._answer(request)
        except Exception:  # noqa: BLE001  a page that fails is answered like everything else
            _log.exception("An admin page failed")
            response = _problem(500, "The gateway failed: a fault of its own, see its log.")
        response.headers.update(HEADERS)
        return response

    async def _answer(self, request: BaseRequest) -> StreamResponse:
        if not all(map(self._sources.may_come, values(request, "Host"))):
            return _problem(403, HOST_REFUSED)
        if is_foreign(request):
            return _problem(403, REFUSED)
        path = request.rel_url.path_safe
        rotated = actions.ROTATE.fullmatch(path)
        if rotated is not None:
            if request.method != "POST":
                return _not_allowed("POST")
            return _rotate(self._sources, request, rotated["name"])
        handler = self._by_path.get(path)
        if handler is None and (asked := _STATIC.fullmatch(path)) is not None:
            handler = self._pages.static(asked["name"])
        if handler is None:
            return _problem(404, "Nothing is served here. Try / or /status.json.")
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, HEAD")
        return await handler(request)


_STATIC: Final = re.compile(r"/static/(?P<name>[^/]+)")


def _not_allowed(methods: str) -> Response:
    response = _problem(405, f"Only {methods} is answered here.")
    response.headers["Allow"] = methods
    return response


def _problem(status: int, message: str) -> Response:
    return json_response({"code": status, "message": message}, status=status)


def _rotate(sources: AdminSources, request: BaseRequest, account: str) -> Response:
    """Nothing waits between the look at what is allowed and the deed."""
    refusal = actions.refusal(request, allowed=sources.may_act())
    if refusal is not None:
        return _problem(*refusal)
    asked = sources.rotate(account, request.remote or "")
    if asked is None:
        return _problem(404, "There is no such account here.")
    return json_response(actions.answer(account, asked), status=202)


class _Pages:
    def __init__(self, sources: AdminSources) -> None:
        self._sources = sources
        self._writer = ThreadPoolExecutor(1, "metrics")

    def close(self) -> None:
        self._writer.shutdown(wait=False, cancel_futures=True)

    async def livez(self, _: BaseRequest) -> Response:
        """The process runs and its loop turns; nothing else is asked."""
        return Response(text="ok\n")

    async def readyz(self, _: BaseRequest) -> Response:
        readiness = self._sources.readiness()
        body = {
            "ready": readiness.ready,
            "state": readiness.state.value,
            "reasons": list(readiness.reasons),
        }
        return json_response(body, status=200 if readiness.ready else 503)

    async def metrics(self, request: BaseRequest) -> Response:
        write = self._sources.metrics(request.headers.get("Accept"))
        # With a hundred accounts it takes the time of many calls.
        loop = asyncio.get_running_loop()
        body, content_type = await loop.run_in_executor(self._writer, write)
        return Response(body=body, headers={"Content-Type": content_type})

    async def status(self, _: BaseRequest) -> Response:
        status = _status(self._sources, self._sources.status)
        accounts = status.pop("accounts")
        texts = []
        for number, one in enumerate(accounts, 1):
            texts.append(json.dumps({**one, **self._sources.history(one["name"])}))
            if number % TURN == 0:
                await asyncio.sleep(0)
        # By parts, so that calls need not wait until thousands of accounts are written.
        text = f'{json.dumps(status)[:-1]}, "accounts": [{", ".join(texts)}]}}'
        return Response(text=text, content_type="application/json")

    def static(self, name: str) -> Handler | None:
        """What answers with that file; None: there is none."""
        kind = status_page.STATIC.get(name)
        if kind is None:
            return None

        async def answer(_: BaseRequest) -> Response:
            body = status_page.static(name)
            return Response(body=body, content_type=kind, charset="utf-8")

        return answer

    async def page(self, _: BaseRequest) -> Response:
        view = look(self._sources)
        # The first page imports the template engine: calls must not wait for that.
        text = await asyncio.to_thread(status_page.render, view)
        return Response(text=text, content_type="text/html")
