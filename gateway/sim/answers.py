"""Answers as data: status, headers, body, and how the connection treats them."""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

JSON = "application/json;charset=UTF-8"
HTML = "text/html; charset=UTF-8"
TEXT_ERROR = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center>{1}</html>"
CLOUDFLARE = "<hr><center>cloudflare</center></body>"


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send.

    `cut`: send less than announced, then close. `drop`: close without an answer. `hang_up`:
    close after the answer without reading the rest of the request. `stream`: pieces sent
    chunked instead of `body`.
    """

    status: int
    body: bytes = b""
    content_type: str | None = JSON
    headers: tuple[tuple[str, str], ...] = ()
    cut: Literal["length", "chunked"] | None = None
    drop: bool = False
    hang_up: bool = False
    stream: AsyncIterator[bytes] | None = field(default=None, compare=False)


DROPPED = Answer(0, drop=True)


def json_answer(status: int, data: Any, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    return Answer(status, json.dumps(data, separators=(",", ":")).encode(), JSON, tuple(headers))


def empty(status: int = 204) -> Answer:
    return Answer(status, b"", None)


def zoom_error(status: int, code: int, message: str, *problems: tuple[str, str]) -> Answer:
    """The API's error shape; `problems` are (field, message)."""
    data: dict[str, Any] = {"code": code, "message": message}
    if problems:
        data["errors"] = [{"field": name, "message": problem} for name, problem in problems]
    return json_answer(status, data)


def oauth_error(reason: str, error: str, status: int = 400) -> Answer:
    """The token endpoint's error shape."""
    return json_answer(status, {"reason": reason, "error": error})


def html(status: int, title: str) -> Answer:
    """A page as the front (Cloudflare) makes them."""
    return Answer(status, TEXT_ERROR.format(f"{status} {title}", CLOUDFLARE).encode(), HTML)


def shaped(status: int, body: Any) -> Answer:
    """An answer with a given body: a string as it is, anything else as JSON."""
    return Answer(status, body.encode()) if isinstance(body, str) else json_answer(status, body)


def with_headers(answer: Answer, headers: tuple[tuple[str, str], ...]) -> Answer:
    return replace(answer, headers=(*answer.headers, *headers)) if headers else answer
