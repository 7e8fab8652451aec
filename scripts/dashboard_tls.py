"""The dashboard's panels about TLS on the proxy port. Without TLS there they show nothing."""

from typing import Final

from dashboard_panels import FLEET, Panel


def _panel(title: str, unit: str, text: str, expr: str, legend: str = "{{instance}}") -> Panel:
    return Panel(title, "timeseries", unit, text, ((expr, legend),))


_EXPIRES: Final = f"zoom_gateway_tls_certificate_expires_at_seconds{{{FLEET}}}"

ROWS: Final[tuple[tuple[str, tuple[Panel, ...]], ...]] = (
    (
        "Can callers connect?",
        (
            _panel(
                "Certificate's life left",
                "s",
                "Good: it jumps up long before 0. Bad: it only falls, because nobody renews it.",
                f"{_EXPIRES} - time()",
            ),
            _panel(
                "Readings of TLS files",
                "none",
                "Bad: failures for more than a minute. Certificate and key do not go together.",
                "sum by (instance, result)"
                f" (increase(zoom_gateway_tls_reloads_total{{{FLEET}}}[10m]))",
                "{{instance}} {{result}}",
            ),
            _panel(
                "TLS handshakes that failed",
                "reqps",
                "Good: none, or a scanner's now and then. Bad: steadily. The log says why.",
                "sum by (instance)"
                f" (rate(zoom_gateway_tls_handshake_failures_total{{{FLEET}}}[$__rate_interval]))",
            ),
        ),
    ),
)
