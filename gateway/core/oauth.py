"""The token endpoint's two messages: what is asked, and what its answer means.

Source: https://developers.zoom.us/docs/internal-apps/s2s-oauth/ for the request and the good
answer; the bad ones are as clients have published them. Their shape is `{"reason", "error"}`,
not the API's. Deciphering is one total function: an answer is a `Grant` or a `MintError`.
"""

import base64
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from gateway.core.errors import MintError, MintFailure
from gateway.core.secret import Secret
from gateway.core.target import PLACEHOLDER
from gateway.core.token import Grant

MAX_ANSWER: Final = 65_536
"""Bytes of an answer that are read: a token and its scopes are a few KiB."""

MAX_RETRY_AFTER: Final = 3_600.0
"""Seconds. A longer `Retry-After` is cut, so that a wrong date does not stop minting for good."""

MAX_LIFETIME: Final = 30 * 86_400.0
"""Seconds. Zoom's tokens live an hour; a life that is longer than this is a mistake, and is cut,
so that the next rotation is a moment that the calendar knows."""

MIN_LIFETIME: Final = 1.0
"""Seconds. A shorter life is over before a call has reached Zoom."""

MAX_WORDS: Final = 200
"""Characters of Zoom's own text that a message carries."""

APP_DISABLED: Final = 4717
"""Zoom's internal code for "The app has been disabled"."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One request for a token. `app` is our name for the app, for messages."""

    app: str
    account_id: str
    index: int
    client_id: str
    client_secret: Secret

    @property
    def indexed(self) -> bool:
        """Whether the index is sent: 0 is the default slot, and some apps refuse the parameter."""
        return self.index != 0

    @property
    def body(self) -> bytes:
        """The form. Zoom refuses JSON here and, for some accounts, the query string."""
        form = {"grant_type": "account_credentials", "account_id": self.account_id}
        if self.indexed:
            form["token_index"] = str(self.index)
        return urlencode(form).encode("ascii")

    @property
    def headers(self) -> dict[str, str]:
        """Complete but for `Host` and `Content-Length`. Holds the secret: never log it."""
        return {
            "Authorization": f"Basic {self._basic()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }

    def _basic(self) -> str:
        pair = f"{self.client_id}:{self.client_secret.reveal()}"
        return base64.b64encode(pair.encode()).decode("ascii")

    def hides(self, text: str) -> bool:
        """Whether `text` holds the secret in any form in which it was sent."""
        secret = self.client_secret.reveal()
        return bool(secret) and any(
            form in text for form in (secret, quote(secret, safe=""), self._basic())
        )


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What came back. `body` is at most `MAX_ANSWER` bytes; it may hold a token."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = ""
    retry_after: str | None = None
    """The header as it stands."""


def read_answer(request: TokenRequest, answer: TokenAnswer, now: float) -> Grant:
    """Decipher an answer; `now` is wall time in seconds since the epoch, for `Retry-After`.

    The grant's lifetime counts from the moment the request was sent. Raises MintError.
    """
    content = _json_object(answer.body)
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES and (
        content is not None or not _is_html(answer)
    ):
        return _grant(content or {})
    facts = _Facts(
        status=answer.status,
        error=_word(content, "error"),
        reason=_word(content, "reason") or _word(content, "message"),
        code=_word(content, "code"),
        html=content is None and _is_html(answer),
        indexed=request.indexed,
    )
    rule = next(rule for rule in _RULES if rule.fits(facts))
    message = rule.message.format(app=request.app, index=request.index, status=answer.status)
    words = _words(request, content)
    if words:
        message = f'{message}. Zoom says: "{words}"'
    raise MintError(rule.failure, message, read_retry_after(answer.retry_after, now))


def read_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from a `Retry-After`: a number, an HTTP date or an ISO-8601 time (Zoom's way).

    `now` is wall time. 0 to `MAX_RETRY_AFTER`; None if there is none or it cannot be read.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,9})?", text):
        return min(float(text), MAX_RETRY_AFTER)
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            when = parse(text)
        except (ValueError, OverflowError):
            continue
        aware = when if when.tzinfo else when.replace(tzinfo=UTC)
        return min(max(aware.timestamp() - now, 0.0), MAX_RETRY_AFTER)
    return None


@dataclass(frozen=True, slots=True)
class _Facts:
    """A bad answer, reduced to what the table asks. Texts are in lower case."""

    status: int
    error: str
    reason: str
    code: str
    html: bool
    indexed: bool

    @property
    def client_error(self) -> bool:
        return HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def bad_client(self) -> bool:
        if self.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED):
            return False
        if self.error == "invalid_client" or "client_id or client_secret" in self.reason:
            return True
        # A 401 without words can only be about the credentials (RFC 6749, section 5.2).
        return self.status == HTTPStatus.UNAUTHORIZED and not self.error and not self.html

    @property
    def bad_index(self) -> bool:
        said = "maximum group number" in self.reason or "invalid grant" in self.reason
        return said and self.indexed and self.client_error


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an answer of the token endpoint means."""

    failure: MintFailure
    fits: Callable[[_Facts], bool]
    message: str


# The first rule that fits decides; the last one fits everything.
_RULES: Final = (
    _Rule(
        MintFailure.RATE_LIMITED,
        lambda facts: facts.status == HTTPStatus.TOO_MANY_REQUESTS,
        "Zoom limits the token requests of app '{app}' (429): too many programs mint with it, "
        "or one of them too often",
    ),
    _Rule(
        MintFailure.INVALID_CLIENT,
        lambda facts: facts.bad_client,
        "Zoom refuses the client id or the client secret of app '{app}': "
        "check client_id and client_secret",
    ),
    _Rule(
        MintFailure.INVALID_INDEX,
        lambda facts: facts.bad_index,
        "Zoom refuses token index {index} of app '{app}': it is out of range or not allowed; "
        "take it out of token_indexes, or ask Zoom's support to raise the app's range",
    ),
    _Rule(
        MintFailure.INVALID_ACCOUNT,
        lambda facts: facts.code == str(APP_DISABLED) or "app has been disabled" in facts.reason,
        "Zoom says that app '{app}' is disabled: activate it in the Zoom Marketplace, "
        "or ask Zoom's support why it was blocked",
    ),
    _Rule(
        MintFailure.INVALID_ACCOUNT,
        lambda facts: facts.client_error and facts.reason.rstrip(".") == "bad request",
        "Zoom refuses the account id for app '{app}': check account_id, and that the app is "
        "an activated Server-to-Server OAuth app of that account",
    ),
    _Rule(
        MintFailure.SERVER_ERROR,
        lambda facts: facts.html,
        "The token endpoint answered with a web page (status {status}) instead of JSON: "
        "Zoom is in trouble, a firewall answers in its place, or upstream.token_url is wrong",
    ),
    _Rule(
        MintFailure.SERVER_ERROR,
        lambda facts: facts.status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        "Zoom's token endpoint fails (status {status}): the fault is Zoom's, and it is tried again",
    ),
    _Rule(
        MintFailure.REFUSED,
        lambda facts: not facts.client_error,
        "The token endpoint answered with status {status} and no token, and redirects are not "
        "followed: check upstream.token_url",
    ),
    _Rule(
        MintFailure.REFUSED,
        lambda _: True,
        "Zoom refuses the token request of app '{app}' (status {status}): "
        "check account_id, the app's type and its activation",
    ),
)


def _grant(content: dict[str, object]) -> Grant:
    value = content.get("access_token")
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise _malformed("access_token is missing, or is no text that fits into a header")
    if value.partition(".")[0] == PLACEHOLDER:
        raise MintError(
            MintFailure.REFUSED,
            "What answers as the token endpoint is a gateway such as this one, perhaps this one"
            " itself: check upstream.token_url, and that its host is not sent here by a hosts file"
            " or by DNS (upstream.addresses and upstream.nameservers go round those)",
        )
    lifetime = _seconds(content.get("expires_in"))
    if lifetime is None:
        raise _malformed("expires_in is missing, or is no positive number of seconds")
    if lifetime < MIN_LIFETIME:
        raise _malformed("expires_in is too short to be used: less than a second")
    scope = content.get("scope")
    api_url = content.get("api_url")
    return Grant(
        value=Secret(value),
        lifetime=min(lifetime, MAX_LIFETIME),
        scope=scope if isinstance(scope, str) else "",
        api_url=api_url if isinstance(api_url, str) and api_url else None,
    )


def _malformed(what: str) -> MintError:
    # Zoom's own text is left out: it may be the token in another shape.
    message = f"The token endpoint said yes, but its answer holds no usable token: {what}"
    return MintError(MintFailure.MALFORMED, message)


def _seconds(value: object) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,9})?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _is_html(answer: TokenAnswer) -> bool:
    return "html" in answer.content_type.lower() or answer.body.lstrip()[:1] == b"<"


def _word(content: dict[str, object] | None, key: str) -> str:
    value = (content or {}).get(key)
    return str(value).strip().lower() if isinstance(value, str | int) else ""


def _words(request: TokenRequest, content: dict[str, object] | None) -> str:
    """Zoom's own text for a person, or nothing where it may hold a secret."""
    if content is None or "access_token" in content:
        return ""
    said = [content.get(key) for key in ("reason", "message", "error")]
    text = " / ".join(part for part in said if isinstance(part, str) and part)
    text = "".join(char for char in text if char.isprintable())
    # A long run without a space is no prose: a token, a key, an echoed header.
    if request.hides(text) or re.search(r"[\w.~+/=%-]{30,}", text):
        return ""
    return text[:MAX_WORDS]
