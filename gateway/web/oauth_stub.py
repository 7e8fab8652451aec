"""The emulated token endpoint: clients that insist on fetching a token get a placeholder.

Those whom a rule names for it get the real one: see docs/real-token.md.

Whatever credentials they send, in whatever form: S2S clients put grant and credentials into
the query, a form, Basic or nowhere, some send an empty JSON body. Nothing of it reaches Zoom.
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl

from gateway.core.errors import CallRefusedError
from gateway.core.headers import Field
from gateway.core.host_routes import api_beside
from gateway.core.target import PLACEHOLDER, Emulated
from gateway.ports import Loan
from gateway.reports import CallReport
from gateway.web.accounts import DEFAULT, AccountContext
from gateway.web.admit import Call
from gateway.web.errors import MethodRefusedError
from gateway.web.limits import STUB_BODY
from gateway.web.proxy_parts import ProxyParts
from gateway.web.request import CallerBody, Request
from gateway.web.visit import Visit

_EXPIRES_IN: Final = 3599
"""Seconds, as Zoom says."""

_REFRESHED_GRANTS: Final = frozenset({"refresh_token", "authorization_code"})
"""Grants whose answer holds a refresh token."""

_FIELDS: Final[list[Field]] = [
    (b"Content-Type", b"application/json"),
    (b"Cache-Control", b"no-store"),  # RFC 6749 section 5.1
]

_REVOKED: Final = b'{"status":"success"}'

_HOST: Final = re.compile(rb"[A-Za-z0-9._:\[\]-]+")

_SHOWN_ID: Final = 64
"""Characters of an unknown account id that are reported."""


class OAuthStub:
    """Answers `/oauth/token` and `/oauth/revoke`."""

    def __init__(self, parts: ProxyParts) -> None:
        self._accounts = parts.accounts
        self._access = parts.access
        self._unknown_account_id = parts.hooks.unknown_account_id
        self._api_url = f"https://{parts.origin.host.decode()}"
        """Zoom's, for a real token whose answer named none."""

    async def answer(self, visit: Visit, call: Call) -> tuple[list[Field], bytes]:
        """Give the header fields and the body of a 200. Raises CallRefusedError."""
        if call.method != "POST":
            raise MethodRefusedError("Tokens are asked for, and revoked, with POST.", b"POST")
        body = b"" if call.body is None else await _read(call.body)
        visit.report.bytes_in = len(body)
        if call.target.emulated is Emulated.REVOKE:
            return _FIELDS, _REVOKED
        query = visit.request.target.partition(b"?")[2]
        parameters = _parameters(query) | _parameters(body)
        account = self._account(call, parameters.get("account_id", ""))
        peer = visit.request.wire.peer
        self._access.check_account(call, peer, visit.report, account.name)
        rule = self._access.lending_rule(call, peer, visit.report, account.name)
        if rule is not None and account.lend is not None:
            document = await self._real_token(visit.report, account.name, rule, account.lend)
        else:
            document = self._token(visit.request, call, account, parameters)
        return _FIELDS, json.dumps(document).encode()

    async def _real_token(
        self, report: CallReport, account: str, rule: str, lend: Callable[[], Awaitable[Loan]]
    ) -> dict[str, str | int]:
        """The one place that lets a token out. Raises TokenUnavailableError."""
        token, left = await lend()
        report.rule, report.lent = rule, (account, token.generation)
        return {
            "access_token": token.value.reveal(),
            "token_type": "bearer",
            "expires_in": max(1, int(left)),
            "scope": token.scope,
            "api_url": token.api_url or self._api_url,
        }

    def _token(
        self, request: Request, call: Call, account: AccountContext, parameters: dict[str, str]
    ) -> dict[str, str | int]:
        name = PLACEHOLDER if account.name == DEFAULT else f"{PLACEHOLDER}.{account.name}"
        document: dict[str, str | int] = {
            "access_token": name,
            "token_type": "bearer",
            "expires_in": _EXPIRES_IN,
            "scope": account.scope(),
            "api_url": _own_url(request, call),
        }
        if parameters.get("grant_type") in _REFRESHED_GRANTS:
            document["refresh_token"] = name
        return document

    def _account(self, call: Call, account_id: str) -> AccountContext:
        """The account that the id picks, or else the call's own.

        Raises CallRefusedError: 400 if they differ, 404 if there is neither.
        """
        picked = self._accounts.with_id(account_id)
        if picked is None:
            if account_id:
                self._unknown_account_id(account_id[:_SHOWN_ID])
            return call.account if call.selected else self._accounts.named(None)
        if call.selected and picked is not call.account:
            raise CallRefusedError(
                400, "account_conflict", "The account_id is not that of the account named."
            )
        return picked


async def _read(body: CallerBody) -> bytes:
    read = bytearray()
    while chunk := await body.read():
        read += chunk
        if len(read) > STUB_BODY:
            raise CallRefusedError(413, "body_too_large", "A token request is shorter than this.")
    return bytes(read)


def _parameters(content: bytes) -> dict[str, str]:
    """Read a query, a form or a JSON object; anything else says nothing."""
    text = content.decode("utf-8", "replace")
    if not text.lstrip().startswith("{"):
        return dict(parse_qsl(text))
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {key: value for key, value in document.items() if isinstance(value, str)}


def _own_url(request: Request, call: Call) -> str:
    """Give the URL under which the caller reached us, with the account's prefix if it used it.

    Who came by one of Zoom's names is told of Zoom's API, whose name leads here, too.

    Behind a TLS proxy its word about the scheme counts: the answer goes back the same way.
    """
    hosts = call.headers.values(b"host")
    prefix = call.target.prefix.decode()
    if hosts and (api := api_beside(hosts[0])) is not None:
        return f"{api}{prefix}"
    host = hosts[0].decode() if hosts and _HOST.fullmatch(hosts[0]) else request.wire.own_address
    schemes = call.headers.values(b"x-forwarded-proto")
    secure = schemes[0].lower() == b"https" if schemes else request.wire.secure
    return f"{'https' if secure else 'http'}://{host}{prefix}"
