"""An exception in fields that hold no foreign text.

Exceptions of libraries quote what they choked on: headers, bodies, URLs. So only their types
and places are told, never their texts, arguments or local variables. Our own may speak: none of
them carries a secret.
"""

import sys
import traceback
from collections.abc import Iterator
from types import CodeType
from typing import Any, Final

from gateway.core.errors import GatewayError

DEEPEST: Final = 12
"""Frames that are told, the innermost."""

MOST_CAUSES: Final = 8


def describe(exc_info: object) -> dict[str, Any]:
    """Give the fields for an `exc_info` as logging has it: True, an exception or a triple."""
    if exc_info is True:
        exc_info = sys.exc_info()
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    if not isinstance(exc_info, BaseException):
        return {}
    trace = [
        _place(frame.f_code, line) for frame, line in traceback.walk_tb(exc_info.__traceback__)
    ]
    fields: dict[str, Any] = {"exception": _name(exc_info)}
    if isinstance(exc_info, GatewayError):
        fields["reason"] = str(exc_info)
    if trace:
        ours = [place for place in trace if place.startswith("gateway/")]
        fields["place"] = (ours or trace)[-1]
        fields["trace"] = trace[-DEEPEST:]
    causes = [_name(cause) for cause in _causes(exc_info)]
    if causes:
        fields["caused_by"] = causes[:MOST_CAUSES]
    return fields


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _place(code: CodeType, line: int) -> str:
    """`gateway/web/proxy.py:12 in Proxy.handle`: no directory of the machine."""
    parts = code.co_filename.replace("\\", "/").split("/")
    *above, _ = parts
    # The innermost directory of that name: a clone may be called so, too.
    start = len(above) - 1 - above[::-1].index("gateway") if "gateway" in above else -3
    return f"{'/'.join(parts[start:])}:{line} in {code.co_qualname}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The parts of a group, and the chain of what an exception was raised from."""
    seen = {id(error)}
    pending = [error]
    while pending and len(seen) <= MOST_CAUSES:
        current = pending.pop(0)
        nearest = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
        parts = current.exceptions if isinstance(current, BaseExceptionGroup) else ()
        for cause in (*parts, nearest):
            if cause is not None and id(cause) not in seen:
                seen.add(id(cause))
                pending.append(cause)
                yield cause
