"""The token endpoint's client.

Source for what may be repeated: a mint that Zoom may have made is never asked for again
here, since it may have killed the token before it. The token manager decides about that.
"""

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp_retry import ExponentialRetry, RetryClient

from gateway.core.credentials import AppCredentials
from gateway.core.egress import EgressProxy
from gateway.core.errors import ConfigurationError, MintError, MintFailure
from gateway.core.oauth import MAX_ANSWER, TokenAnswer, TokenRequest, read_answer
from gateway.core.token import Grant, SlotId
from gateway.zoom import USER_AGENT
from gateway.zoom.mint_faults import Sending
from gateway.zoom.names import Names
from gateway.zoom.tls import Trust, default_tls
from gateway.zoom.words import describe, only_here

Credentials = Callable[[], AppCredentials]
"""Reads an app's credentials afresh, so that a file that changes counts at the next mint.
Raises ConfigurationError if they cannot be read."""

RETRY_AFTER_FAULT: Final = 0.15
"""Seconds before the one quick repetition: a front that is being replaced is back by then,
and the token manager's own backoff, of seconds, is spared."""

_SENDING: Final = "sending"

_SCOPE: Final = 3
"""Where a socket's address of IPv6 has the interface."""

_MOMENTARY: Final = frozenset(
    {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)
"""Answers of a front that could not pass the request on."""


class TokenEndpoint:
    """Mints tokens of one account. Implements `Minter`.

    `credentials` maps an app's name to what reads its credentials. `connect_timeout` is in
    seconds and covers names, a proxy, TCP and TLS; the time for all of a mint is the caller's to
    limit, by cancelling it. `tls` gives the context for a connection; `proxy` is on the way, if it
    is given; `names` look up hosts. `wall` gives seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913  # what can be left out is given by name
        self,
        token_url: str,
        account_id: str,
        credentials: Mapping[str, Credentials],
        *,
        connect_timeout: float = 3.0,
        tls: Trust = default_tls,
        proxy: EgressProxy | None = None,
        names: Names | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._token_url = token_url
        self._secure = token_url.lower().startswith("https:")
        self._account_id = account_id
        self._credentials = credentials
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._proxy = proxy
        self._names = names or Names()
        self._wall = wall
        self._client: RetryClient | None = None

    async def mint(self, slot: SlotId) -> Grant:
        """Ask for a token of `slot`; a previous client secret is tried if the first is refused.

        Raises MintError, nothing else: both secrets refused, it is the first refusal.
        """
        credentials = self._read_credentials(slot.app)
        request = TokenRequest(
            app=slot.app,
            account_id=self._account_id,
            index=slot.index,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
        )
        previous = credentials.previous_client_secret
        try:
            return await self._ask(request)
        except MintError as refusal:
            if not previous or refusal.failure is not MintFailure.INVALID_CLIENT:
                raise
            first = refusal
        try:
            grant = await self._ask(replace(request, client_secret=previous))
        except MintError as refusal:
            if refusal.failure is MintFailure.INVALID_CLIENT:
                raise first from None
            raise
        return replace(grant, previous_secret=True)

    async def close(self) -> None:
        """Close the connections. No token is revoked: others use it."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _read_credentials(self, app: str) -> AppCredentials:
        try:
            return self._credentials[app]()
        except KeyError:
            why = "it is not configured"
        except ConfigurationError as error:
            why = str(error)
        except OSError as error:
            why = describe(error)
        message = f"The credentials of app '{app}' cannot be read: {why}"
        raise MintError(MintFailure.INVALID_CLIENT, message)

    async def _ask(self, request: TokenRequest) -> Grant:
        answer = await self._exchange(request)
        if isinstance(answer, MintError):
            # Raised here, so that no foreign exception, with headers in it, hangs on to it.
            raise answer
        return read_answer(request, answer, self._wall())

    async def _exchange(self, request: TokenRequest) -> TokenAnswer | MintError:
        sending = Sending(self._proxy, self._connect_timeout)
        try:
            async with self._session().post(
                self._token_url,
                data=request.body,
                headers=request.headers | {"User-Agent": USER_AGENT},
                allow_redirects=False,
                ssl=self._tls() if self._secure else True,
                trace_request_ctx={_SENDING: sending},
                **self._by_proxy(),
            ) as response:
                return TokenAnswer(
                    status=response.status,
                    body=await _read_body(response),
                    content_type=response.headers.get("Content-Type", ""),
                    retry_after=response.headers.get("Retry-After"),
                )
        except Exception as error:  # noqa: BLE001  # the port promises MintError, nothing else
            return sending.explain(error)

    def _by_proxy(self) -> dict[str, Any]:
        """Explicitly: the library reads no environment, and both ways to Zoom go alike."""
        if self._proxy is None:
            return {}
        headers = {"User-Agent": USER_AGENT}
        if (authorization := self._proxy.authorization) is not None:
            headers["Proxy-Authorization"] = authorization.reveal()
        return {"proxy": self._proxy.url, "proxy_headers": headers}

    def _session(self) -> RetryClient:
        if self._client is None:
            session = aiohttp.ClientSession(
                # Mints are far apart: a kept connection would be stale, and a POST on a stale
                # connection cannot be repeated.
                connector=aiohttp.TCPConnector(force_close=True, resolver=_Resolver(self._names)),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout),
                trust_env=False,
                trace_configs=[_tracing()],
            )
            options = ExponentialRetry(
                attempts=2,
                start_timeout=RETRY_AFTER_FAULT,
                factor=1.0,
                exceptions={aiohttp.ClientConnectorError},
                retry_all_server_errors=False,
                evaluate_response_callback=_is_final,
            )
            self._client = RetryClient(client_session=session, retry_options=options)
        return self._client


def _tracing() -> aiohttp.TraceConfig:
    """Notes what was sent to Zoom; not what was sent to a proxy, to be let through."""

    async def began(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx[_SENDING].sent = False

    async def sent(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx[_SENDING].sent = True

    config = aiohttp.TraceConfig()
    config.on_request_start.append(began)
    config.on_request_headers_sent.append(sent)
    return config


class _Resolver(AbstractResolver):
    """Gives what `names` find, and does not believe of another machine that it is this one."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = [
            ResolveResult(
                hostname=host,
                # A link-local address of IPv6 is one of a certain interface.
                host=f"{where[0]}%{where[3]}" if len(where) > _SCOPE and where[3] else where[0],
                port=where[1],
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, where in await self._names.addresses(host, port)
            if family in (socket.AF_UNSPEC, kind)
        ]
        only_here(host, [one["host"] for one in found])
        return found

    async def close(self) -> None: ...


async def _is_final(response: aiohttp.ClientResponse) -> bool:
    final = response.status not in _MOMENTARY or "Retry-After" in response.headers
    if not final:
        response.close()  # aiohttp-retry forgets it
    return final


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """At most `MAX_ANSWER` bytes; what is cut is no JSON any more, and is judged as such."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER:
            break
    return bytes(body[:MAX_ANSWER])
