"""The control verbs over HTTP: JSON in, JSON out, on the simulator's own port."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from gateway.sim import reading
from gateway.sim.control import MOST_REQUESTS, Control
from gateway.sim.exchange import BodyAbortedError, Exchange
from gateway.sim.reading import ReadError

Verb = Callable[[Control, dict[str, Any], Mapping[str, str]], Any]


def _keys(data: dict[str, Any], **readers: reading.Reader) -> dict[str, Any]:
    """Read exactly these keys; null counts as absent."""
    values = reading.read_keys(readers, data)
    return {key: value for key, value in values.items() if value is not None}


def _required(values: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        if name not in values:
            raise ReadError(f"{name}: is required")
    return values


def _kill(control: Control, data: dict[str, Any], _: Mapping[str, str]) -> Any:
    read = _keys(data, app=reading.text, index=reading.count, newest=reading.flag)
    return control.kill(**read)


def _mint(control: Control, data: dict[str, Any], _: Mapping[str, str]) -> Any:
    return control.mint(**_keys(data, app=reading.text, index=reading.count))


def _reset(control: Control, data: dict[str, Any], _: Mapping[str, str]) -> Any:
    return control.reset(**_keys(data, tokens=reading.flag))


def _advance(control: Control, data: dict[str, Any], _: Mapping[str, str]) -> Any:
    return control.advance(**_required(_keys(data, seconds=reading.seconds), "seconds"))


def _rotate(control: Control, data: dict[str, Any], _: Mapping[str, str]) -> Any:
    read = _keys(data, app=reading.text, client_secret=reading.text)
    return control.rotate_secret(**_required(read, "app", "client_secret"))


def _requests(control: Control, _: dict[str, Any], query: Mapping[str, str]) -> Any:
    text = query.get("limit", str(MOST_REQUESTS))
    if not text.isascii() or not text.isdigit():
        raise ReadError("limit: must be a whole number of at least 0")
    return control.requests(int(text))


VERBS: dict[str, Verb] = {
    "GET state": lambda control, _data, _query: control.state(),
    "POST kill": _kill,
    "POST mint": _mint,
    "GET faults": lambda control, _data, _query: control.faults(),
    "PUT faults": lambda control, data, _query: control.put_faults(**data),
    "PATCH faults": lambda control, data, _query: control.patch_faults(**data),
    "DELETE faults": lambda control, _data, _query: control.clear_faults(),
    "POST reset": _reset,
    "POST config": lambda control, data, _query: control.config(**data),
    "POST advance": _advance,
    "POST rotate-secret": _rotate,
    "GET requests": _requests,
}


async def handle(control: Control, exchange: Exchange) -> web.StreamResponse:
    """Answer a control call: 400 for bad input, 404 for an unknown verb, with the list."""
    name = exchange.path.removeprefix("/_sim").strip("/")
    verb = VERBS.get(f"{exchange.method} {name}")
    try:
        body = await exchange.read_body()
        if verb is None:
            offered = {"error": "unknown verb", "verbs": _offered()}
            return _json(404, offered)
        return _json(200, verb(control, _parse(body.data), exchange.query))
    except ReadError as error:
        return _json(400, {"error": str(error)})
    except BodyAbortedError:
        return _json(400, {"error": "the body ended early"})


def _parse(data: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(data or b"{}")
    except ValueError as error:
        raise ReadError("the body is not JSON") from error
    if not isinstance(parsed, dict):
        raise ReadError("the body must be a JSON object")
    return parsed


def _offered() -> list[str]:
    return [f"{method} /_sim/{verb}" for method, verb in (name.split() for name in VERBS)]


def _json(status: int, data: Any) -> web.Response:
    return web.json_response(data, status=status)
