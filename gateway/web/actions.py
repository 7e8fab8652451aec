"""Who may change something on the admin port, and what is answered.

A page of another site, open in the browser of somebody who reaches the admin port, must change
nothing. So an action is a POST of JSON, which such a page may not send; the browser's own words
about where it comes from are checked; and the Host must be a name that no stranger's DNS can have
made to mean this listener.
"""

import ipaddress
import math
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from gateway.core.course import Asked

ROTATE: Final = "/accounts/{name}/rotate"

_OURS: Final = (".localhost", ".local", ".internal", ".svc", ".svc.cluster.local")
"""Ends of names that no public DNS has."""

Refusal = tuple[int, str]
"""HTTP's status, and why."""


def refusal(request: web.Request, *, allowed: bool) -> Refusal | None:
    """Why this action is not carried out; None if it may be."""
    if not allowed:
        return 403, "Actions are not allowed here: set admin.allow_actions to allow them."
    if not _inside(request.host):
        return 403, (
            "Actions are taken under an IP address, localhost or a name of the cluster alone: a "
            "public name may be a stranger's."
        )
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if (site or "same-origin") != "same-origin" or not _same(origin, request.host):
        return 403, "Actions are taken from the status page itself, not from another site."
    if request.content_type != "application/json":
        return 415, "Send the action as Content-Type: application/json."
    return None


def _same(origin: str | None, host: str) -> bool:
    """Programs send no Origin; browsers do with each POST."""
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _inside(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    name = name.removesuffix(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and ("." not in name or name.endswith(_OURS))
    return True


def answer(account: str, asked: Asked) -> dict[str, Any]:
    """What is told of a wish for a new token."""
    text = "A new token was on its way already; nothing more was asked for."
    if asked.began:
        text = "A new token is due." if asked.wait else "A new token is being minted."
    if asked.store_down:
        text = "A new token is minted once the token store, which lends the right to, can be used."
    elif asked.wait:
        text += (
            f" Its mint begins in {max(1, math.ceil(asked.wait))} s: the last mints failed, or "
            "followed each other too closely."
        )
    return {
        "account": account,
        "result": "due" if asked.began else "under_way",
        "wait": round(asked.wait, 3),
        "message": text,
    }
