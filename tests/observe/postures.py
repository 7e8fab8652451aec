"""Postures of a gateway: well, and in trouble."""

from gateway.core.posture import (
    AccessStatus,
    LimitStatus,
    ListenerStatus,
    Posture,
    TlsStatus,
    UpstreamStatus,
)
from tests.observe.charts import WALL

DAY = 86400.0


def plain() -> Posture:
    return Posture(ListenerStatus("127.0.0.1:8080"), UpstreamStatus("api.zoom.us"))


def guarded(
    left: float = 62 * DAY, calls: float = 12, hits: int = 0, denied: int = 0, names: str = ""
) -> Posture:
    """`left`: seconds until its certificate ends."""
    ends = WALL + left
    shown = (names or "gateway.zoom.svc", "gateway.zoom.svc.cluster.local")
    return Posture(
        ListenerStatus("0.0.0.0:8080", TlsStatus(ends, shown, "required", ends - 90 * DAY)),
        UpstreamStatus("api.zoom.us", "proxy.example:3128"),
        AccessStatus("deny", 3, {"rule": denied, "default": denied // 10, "host": 0}),
        {
            "calls": LimitStatus(1000, calls, hits),
            "connections": LimitStatus(4000, 1310),
            "connections_per_caller": LimitStatus(200, hits=hits // 2),
            "header_bytes": LimitStatus(32768),
            "header_fields": LimitStatus(100),
            "header_timeout": LimitStatus(10.0),
            "call_timeout": LimitStatus(300.0),
            "kept_memory": LimitStatus(64 * 2**20, 3 * 2**20),
            "kept_disk": LimitStatus(2**30, 0.0),
        },
    )
