"""What a call may ask `WreckedZoom` to do to it, and the answers."""

import functools
import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

REFUSED: Final = b'{"code":124,"message":"Invalid access token."}'
PAGE: Final = b"<html><body><h1>Bad gateway</h1></body></html>"


class Wreck(StrEnum):
    """What happens to a call."""

    NONE = "none"
    RESET = "reset"
    """After the whole call was heard, and acted on: a reset instead of an answer."""
    CLOSE = "close"
    """The same, with an orderly end."""
    HALF = "half"
    """The same, with an end of our half alone: we go on reading."""
    RESET_UPLOAD = "reset-upload"
    """In the middle of the call's body."""
    STALE = "stale"
    """If the connection carried a call before: an end instead of an answer, once, unacted."""
    CUT = "cut"
    """An orderly end in the middle of the answer's body."""
    CUT_HALF = "cut-half"
    """An end of our half alone, in the middle of the answer's body."""
    RESET_BODY = "reset-body"
    """A reset in the middle of the answer's body."""
    HEAD_CUT = "head-cut"
    """An end in the middle of the answer's head."""
    GARBAGE = "garbage"
    """Something that is no HTTP."""
    FRONT = "front"
    """A page of the front, with `status` and a Retry-After; the call is not acted on."""
    LEAVE = "leave"
    """A good answer that promises to keep the connection, which then ends."""
    LEAVE_HALF = "leave-half"
    """The same, with an end of our half alone."""
    SILENT = "silent"
    """Nothing at all."""
    HELD = "held"
    """A good answer, once `WreckedZoom.release` is set."""


INSTEAD: Final = frozenset(
    {Wreck.RESET, Wreck.CLOSE, Wreck.HALF, Wreck.SILENT, Wreck.HEAD_CUT, Wreck.GARBAGE}
)
"""Wrecks in which there is no answer."""

ASKED: Final = {
    "nonce": r"[\w-]+",
    "wreck": "|".join(Wreck),
    "delay": r"\d{1,2}(\.\d{1,3})?",
    "size": r"\d{1,8}",
    "framing": "length|chunked|close",
    "status": "429|50[0-4]",
}
"""What a call may ask for. The rest is a fuzzer's, and means nothing."""


@dataclass
class Heard:
    """A call as it came."""

    method: str
    target: str
    fields: list[tuple[bytes, bytes]]
    size: int = 0
    digest: str = ""
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def nonce(self) -> str:
        return self.asked.get("nonce", "")

    @property
    def wreck(self) -> Wreck:
        return Wreck(self.asked.get("wreck", "none"))

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name]


def content(call: Heard) -> bytes:
    """The body of a good answer."""
    if size := int(call.asked.get("size", "0")):
        return download(call.nonce, size)
    return json.dumps({"nonce": call.nonce, "size": call.size, "sha256": call.digest}).encode()


@functools.lru_cache(maxsize=4)
def download(nonce: str, size: int) -> bytes:
    """What a call for so many bytes gets: another content for each nonce."""
    seed = hashlib.sha256(nonce.encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]
