"""Names that pages, alerts and dashboard use, and that the code has not yet.

`test_promised.py` fails when all of them are there: then this file and its uses go.
"""

from pathlib import Path
from typing import Final

import yaml

from gateway.settings import schema

METRICS: Final[dict[str, tuple[str, set[str]]]] = {
    "zoom_gateway_access_denied_total": ("counter", {"reason"}),
    "zoom_gateway_limit_hits_total": ("counter", {"limit"}),
    "zoom_gateway_limit": ("gauge", {"limit"}),
    "zoom_gateway_open_connections": ("gauge", set()),
    "zoom_gateway_kept_bytes": ("gauge", {"place"}),
    "zoom_gateway_tls_certificate_expires_at_seconds": ("gauge", set()),
    "zoom_gateway_tls_reloads_total": ("counter", {"result"}),
    "zoom_gateway_tls_handshake_failures_total": ("counter", set()),
}
"""Type and labels, by name."""

LIMITS: Final = (
    *("calls", "connections", "connections_per_caller", "header_bytes", "header_fields"),
    *("header_timeout", "body_timeout", "send_timeout", "keepalive_timeout", "call_timeout"),
    *("kept_memory", "kept_disk"),
)

DENIALS: Final = frozenset({"host", "origin", "rule", "default", "key"})
"""Reasons why a call is not allowed."""

KEYS: Final = frozenset(
    {
        *(f"limits.{name}" for name in LIMITS),
        *("access.default", "access.key_header", "access.keys", "access.rules"),
        *("listen.socket", "listen.socket_mode"),
        *("tls.certificate_file", "tls.key_file", "tls.client_ca_file"),
        *("tls.client_certificates", "tls.minimum_version"),
        *("upstream.ca_file", "upstream.trusted_hosts", "upstream.egress_proxy"),
    }
)
"""Of the configuration."""

SLUGS: Final = frozenset(
    {
        *("host_refused", "cross_site", "not_allowed"),
        *("too_many_calls", "too_many_connections", "call_timeout"),
    }
)
"""What `X-Zoom-Gateway-Error` may say."""

VARIABLES: Final = frozenset({"ZOOM_GATEWAY_UPSTREAM__EGRESS_PROXY"})
"""Of the environment."""


def take_away(config: Path) -> set[str]:
    """Take out of a configuration what is promised and not there; give its keys."""
    tree = yaml.safe_load(config.read_text())
    absent = {one for one in KEYS if schema.find(one.split(".")) is None}
    taken = set()
    for one in sorted(absent):
        section, _, key = one.partition(".")
        if key in tree.get(section, {}):
            del tree[section][key]
            taken.add(one)
    config.write_text(yaml.safe_dump({name: part for name, part in tree.items() if part}))
    return taken
