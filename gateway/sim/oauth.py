"""The token endpoint and the revocation endpoint."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from gateway.sim import answers
from gateway.sim.answers import Answer
from gateway.sim.caller import check
from gateway.sim.config import Account, App
from gateway.sim.exchange import Exchange
from gateway.sim.faults import Faults
from gateway.sim.modes import parse_mode
from gateway.sim.state import SimState

FORM = "application/x-www-form-urlencoded"

BAD_CLIENT = answers.oauth_error("Invalid client_id or client_secret", "invalid_client")
BAD_ACCOUNT = answers.oauth_error("Bad request", "invalid_request")
BAD_GRANT = answers.oauth_error("unsupported grant type", "unsupported_grant_type")
INDEX_TOO_HIGH = answers.oauth_error(
    "Invalid request : Maximum group number limit exceeded", "invalid_request"
)
INDEX_NOT_ALLOWED = answers.oauth_error("Invalid Grant", "invalid_request")


async def handle(state: SimState, exchange: Exchange) -> Answer:
    """Answer `POST /oauth/token` and `POST /oauth/revoke`."""
    state.ledger.endpoints[f"{exchange.method} {exchange.path}"] += 1
    found = check(exchange.target, exchange.request.raw_headers, "basic")
    for reason in (*found.soft, *found.hard):
        state.ledger.violation(reason, exchange.at)
    await exchange.read_body()
    if found.hard and state.config.strict:
        reason = found.hard[0]
        return answers.json_answer(
            400, {"code": 300, "message": reason, "reason": reason, "error": "invalid_request"}
        )
    if exchange.method != "POST" or exchange.path not in {"/oauth/token", "/oauth/revoke"}:
        return answers.oauth_error("Not found", "invalid_request", 404)
    owner = _authenticate(state, found.credential)
    if exchange.path == "/oauth/revoke":
        return _revoke(state, exchange, owner)
    state.ledger.counts["mint_attempts"] += 1
    return await _mint(state, exchange, owner)


def _authenticate(state: SimState, credential: str | None) -> tuple[Account, App] | None:
    """Return whose Basic credential it is, or None when client or secret are wrong."""
    try:
        plain = base64.b64decode(credential or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    client_id, _, secret = plain.partition(":")
    owner = state.find_app(client_id)
    if owner is None:
        return None
    app = owner[1]
    valid = [app.client_secret]
    if state.config.overlap and app.previous_client_secret is not None:
        valid.append(app.previous_client_secret)
    return (
        owner if any(secrets.compare_digest(s.encode(), secret.encode()) for s in valid) else None
    )


def _revoke(state: SimState, exchange: Exchange, owner: tuple[Account, App] | None) -> Answer:
    if owner is None:
        return BAD_CLIENT
    value = exchange.query.get("token", "")
    now = state.clock.now()
    state.tokens.kill(
        token
        for token in state.tokens.live(now)
        if token.value == value and token.app == owner[1].client_id
    )
    state.ledger.counts["revokes"] += 1
    return answers.json_answer(200, {"status": "success"})


async def _mint(state: SimState, exchange: Exchange, owner: tuple[Account, App] | None) -> Answer:
    """Run the mint through the faults: delay, drop, replaced or cut answers."""
    faults = state.board.faults
    failing = _fails(faults) and state.board.use("mint_fail_next")
    if not faults.mint_delay_after:
        await asyncio.sleep(faults.mint_delay)
    if failing and faults.mint_drop == "before":
        return _failed(state, answers.DROPPED)
    replaced = failing and _replaces(faults)
    if replaced and not faults.mint_acts:
        answer = _failed(state, _replacement(faults))
    else:
        answer = _grant(state, exchange, owner, (failing and faults.mint_patch) or {})
        if replaced:
            answer = _replacement(faults)
        elif failing:
            answer = _dressed(faults, answer)
    if faults.mint_delay_after:
        await asyncio.sleep(faults.mint_delay)
    return answers.DROPPED if failing and faults.mint_drop == "after" else answer


def _fails(faults: Faults) -> bool:
    return (
        _replaces(faults)
        or faults.mint_drop is not None
        or faults.mint_cut
        or faults.mint_patch is not None
        or bool(faults.mint_headers)
        or faults.mint_content_type is not None
    )


def _replaces(faults: Faults) -> bool:
    """Whether the true answer is not given at all; a bare `mint_fail_next` means status 500."""
    bare = faults.mint_fail_next is not None and not (
        faults.mint_drop or faults.mint_cut or faults.mint_patch or faults.mint_content_type
    )
    return faults.mint_status is not None or faults.mint_body is not None or bare


def _failed(state: SimState, answer: Answer) -> Answer:
    state.ledger.counts["mint_failures"] += 1
    return answer


def _replacement(faults: Faults) -> Answer:
    good = faults.mint_body is not None
    status = faults.mint_status or (200 if good else 500)
    body: Any = faults.mint_body
    if body is None:
        body = {"reason": "Internal error", "error": "server_error"}
    return _dressed(faults, answers.shaped(status, body))


def _dressed(faults: Faults, answer: Answer) -> Answer:
    """Add the headers, the content type and the cut that the faults ask for."""
    return replace(
        answer,
        headers=(*answer.headers, *faults.mint_headers),
        content_type=faults.mint_content_type or answer.content_type,
        cut="length" if faults.mint_cut else None,
    )


def _grant(
    state: SimState,
    exchange: Exchange,
    owner: tuple[Account, App] | None,
    patch: Mapping[str, Any],
) -> Answer:
    """Mint if the request is right, and answer as Zoom does, with the keys of `patch` changed."""
    index = _index(state, exchange, owner)
    if isinstance(index, Answer):
        return _failed(state, index)
    assert owner is not None  # noqa: S101  _index refuses a request without an owner
    token = state.mint(*owner, index)
    exchange.token = token.fingerprint
    data: dict[str, Any] = {
        "access_token": token.value,
        "token_type": "bearer",
        "expires_in": state.config.reported_expires_in,
        "scope": state.config.scope,
        "api_url": state.config.api_url or f"http://{exchange.header('Host')}",
    }
    removed = {key for key, value in patch.items() if value is None}
    changed = {key: value for key, value in (data | dict(patch)).items() if key not in removed}
    return answers.json_answer(200, changed)


def _index(state: SimState, exchange: Exchange, owner: tuple[Account, App] | None) -> int | Answer:
    """Return the token index that a valid request asks for, or the error."""
    # What stands in the query does not count: only a form body is read.
    media = (exchange.header("Content-Type") or "").partition(";")[0].strip().lower()
    data = exchange.body.data if exchange.body and media == FORM else b""
    form = dict(parse_qsl(data.decode("latin-1"), keep_blank_values=True))
    if form.get("grant_type") != "account_credentials":
        return BAD_GRANT
    if owner is None:
        return BAD_CLIENT
    if form.get("account_id") != owner[0].account_id:
        return BAD_ACCOUNT
    return _read_index(state, form.get("token_index", "0"))


def _read_index(state: SimState, text: str) -> int | Answer:
    number = int(text) if text.isascii() and text.isdigit() else None
    if parse_mode(state.config.mode).ignores_index:
        return number or 0
    if number != 0 and not state.config.index_allowed:
        return INDEX_NOT_ALLOWED
    if number is None:
        return BAD_ACCOUNT
    return INDEX_TOO_HIGH if number > state.config.max_index else number
