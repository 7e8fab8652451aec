"""Who may change something on the admin port, and what is answered.

A page of another site, open in the browser of somebody who reaches the admin port, must change
nothing. So an action is a POST of JSON, which such a page may not send. (The name in Host, and the
browser's own words about where a request comes from, are checked for whatever is asked here.)
"""

import math
import re
from typing import Any, Final

from aiohttp.web_request import BaseRequest

from gateway.core.course import Asked
from gateway.web.foreign import values

ROTATE: Final = re.compile(r"/accounts/(?P<name>[^/]+)/rotate")

Refusal = tuple[int, str]
"""HTTP's status, and why."""


def refusal(request: BaseRequest, *, allowed: bool) -> Refusal | None:
    """Why this action is not carried out; None if it may be."""
    if not allowed:
        return 403, "Actions are not allowed here: set admin.allow_actions to allow them."
    if b"none" in values(request, "Sec-Fetch-Site"):
        return 403, "Actions are taken from the status page itself."
    if request.content_type != "application/json":
        return 415, "Send the action as Content-Type: application/json."
    return None


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
