"""The row about the listener, its limits and who may call."""

from typing import Final

from dashboard_kinds import (
    BY_REPLICA_ALONE,
    FLEET,
    GREEN,
    NONE_IS_GOOD,
    ORANGE,
    RATE,
    RED,
    Panel,
    lines,
    select,
    stack,
    stat,
)

_SAME: Final = "on (cluster, namespace, job, instance)"
_CERTIFICATE: Final = f"{select('tls_certificate_expires_at_seconds', of=FLEET)} > 0"
_FAILED: Final = ', result="failure"'
_DAY: Final = 86400


def _limit(name: str) -> str:
    """A limit of 0 is none."""
    wanted = f', limit="{name}"'
    return f"({select('limit', wanted, FLEET)} > 0)"


def _share(of: str, limit: str) -> str:
    return f"{select(of, of=FLEET)} / {_SAME} {_limit(limit)}"


def _increase(by: str, metric: str) -> str:
    return f"sum by ({by}) (increase({select(metric, of=FLEET)}[10m]))"


LIMITS: Final[tuple[Panel, ...]] = (
    lines(
        "Calls against their limit",
        "percentunit",
        "Calls in hand, of those that limits.calls allows. Bad: near 100 %, where callers get 503.",
        (_share("inflight_requests", "calls"), BY_REPLICA_ALONE),
    ),
    lines(
        "Connections against their limit",
        "percentunit",
        "Connections to the proxy port, of those that limits.connections allows. Bad: near 100 %.",
        (_share("open_connections", "connections"), BY_REPLICA_ALONE),
    ),
    lines(
        "Bodies kept",
        "bytes",
        "For a second sending, with their limits. Bad: a line reaches its limit; bodies are not"
        " kept then, and a refused call cannot be sent again.",
        (f"sum by (place) ({select('kept_bytes', of=FLEET)})", "{{place}}"),
        (f"sum by (limit) ({_limit('kept_memory')})", "limit {{limit}}"),
        (f"sum by (limit) ({_limit('kept_disk')})", "limit {{limit}}"),
    ),
    stack(
        "Limits reached",
        "none",
        "In 10 minutes. Good: none of calls and connections, at which callers are refused. The"
        " others hit single requests that are too large or too slow.",
        (_increase("limit", "limit_hits_total"), "{{limit}}"),
    ),
    stack(
        "Calls that are not allowed",
        "none",
        "In 10 minutes. Good: none. default and rule: a caller that the rules do not name. host and"
        " origin: a browser was sent here by somebody else's page.",
        (_increase("reason", "access_denied_total"), "{{reason}}"),
    ),
    stack(
        "TLS handshakes failed",
        "reqps",
        "Good: none. Callers without a client certificate, with a stranger's, or without TLS.",
        (
            f"sum by (instance) (rate({select('tls_handshake_failures_total', of=FLEET)}{RATE}))",
            BY_REPLICA_ALONE,
        ),
    ),
    stat(
        "Days left of the certificate",
        "none",
        "Of the replica whose certificate ends first. Good: more than a week, or whatever it is"
        " renewed at. Without TLS there is nothing to show.",
        f"(min({_CERTIFICATE}) - time()) / {_DAY}",
        *((None, RED), (1, ORANGE), (7, GREEN)),
    ),
    stat(
        "New certificates refused",
        "none",
        "In an hour. Good: 0. Else the files do not belong together, and the former ones are used.",
        f"sum(increase({select('tls_reloads_total', _FAILED, FLEET)}[1h])) or vector(0)",
        *NONE_IS_GOOD,
    ),
)
