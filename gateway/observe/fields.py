"""The fields a log line may have, and what may stand in them.

The list is the second net under the first one (that nobody logs a secret): a field that is not
on it is dropped, and only its name shows, under `dropped_fields`. `docs/logs.md` explains each.
"""

import math
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from gateway.core.secret import Secret
from gateway.observe.failure import describe

ALWAYS: Final = ("timestamp", "level", "event")
"""On every line, in this order, before all others."""

ALLOWED: Final = frozenset(
    {
        # what, in words
        "message",
        "logger",
        # calls
        "request_id",
        "caller",
        "caller_name",
        "host",
        "account",
        "method",
        "route",
        "status",
        "duration_ms",
        "upstream_ms",
        "token_wait_ms",
        "generation",
        "replays",
        "replay_outcome",
        "bytes_in",
        "bytes_out",
        "tracking_id",
        "error",
        "rule",
        "key_name",
        "pace_wait_ms",
        "rate_limit",
        "rate_category",
        "rate_retries",
        "minutes",
        "requests",
        "errors",
        "trace_id",
        "span_id",
        "sample_rate",
        # tokens
        "app",
        "index",
        "other_app",
        "other_index",
        "cause",
        "failure",
        "lifetime",
        "took_ms",
        "retry_in",
        "age",
        "seconds",
        "endpoint",
        "previous_secret",
        "count",
        # the gateway itself
        "version",
        "pid",
        "listen",
        "admin",
        "store",
        "egress_proxy",
        "accounts",
        "account_id",
        "signal",
        "inflight",
        "changed",
        "problems",
        "limit",
        "most",
        "scopes",
        # TLS for callers
        "names",
        "expires",
        # workers
        "worker",
        "exit_code",
        "restart_in",
        # faults
        "exception",
        "reason",
        "place",
        "trace",
        "caused_by",
        # the log itself
        "dropped_fields",
        "lines_lost",
    }
)

LONGEST: Final = 2000
"""Characters of a text that are kept: a line stays a line, whatever a server answers."""

MOST: Final = 50
"""Entries of a list that are kept."""

Event = MutableMapping[str, Any]


def plain(value: object) -> object:
    """Give a value as JSON has it. What could hide a secret, any other object, shows its type."""
    if type(value) is str and len(value) <= LONGEST:
        return value
    if isinstance(value, str):
        # A subclass (an enum's member) becomes what it says.
        return str(value[:LONGEST])
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in list(value)[:MOST]]
    if isinstance(value, Secret):
        return str(value)
    return f"<{type(value).__name__}>"


class Shape:
    """A structlog processor: from a call's keywords to the fields of its line, in their order.

    `wall` gives seconds since the epoch as text; `lost` how many lines were lost so far.
    """

    def __init__(self, stamp: Callable[[], str], lost: Callable[[], int]) -> None:
        self.stamp = stamp
        self._lost = lost
        self.lost_told = 0
        """How many a line has told of."""

    @property
    def has_news(self) -> bool:
        """Whether the next line must tell that others were lost."""
        return self._lost() != self.lost_told

    def __call__(self, logger: object, method: str, fields: Event) -> Event:
        del logger
        line: dict[str, Any] = {
            "timestamp": self.stamp(),
            "level": method,
            "event": plain(fields.pop("event", "")),
        }
        dropped: list[str] = []
        if "exc_info" in fields:
            fields.update(describe(fields.pop("exc_info")))
        for name, value in fields.items():
            if name in ALLOWED:
                line[name] = value if type(value) is int else plain(value)
            else:
                dropped.append(str(name)[:64])
        if dropped:
            line["dropped_fields"] = dropped
        if (lost := self._lost()) != self.lost_told:
            line["lines_lost"] = self.lost_told = lost
        return line
