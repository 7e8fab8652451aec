"""The rows about time and replicas."""

from typing import Final

from dashboard_kinds import (
    BY_REPLICA,
    FLEET,
    OURS,
    RATE,
    YES_NO,
    lines,
    most,
    quantiles,
    rate,
    select,
    stack,
    states,
)

_ADDED: Final = (
    f"({rate('account', 'request_duration_seconds_sum')}"
    f" - {rate('account', 'upstream_duration_seconds_sum')})"
    f" / {rate('account', 'request_duration_seconds_count')}"
)

TIME: Final = (
    lines(
        "Duration, as callers see it",
        "s",
        "Good: as the next panel. What is more here was spent in the gateway.",
        *quantiles("request"),
    ),
    lines(
        "Duration at Zoom",
        "s",
        "From the first sending to the end of the last answer. Bad: it rises. Then it is Zoom, or"
        " the way to it.",
        *quantiles("upstream"),
    ),
    lines(
        "Added by the gateway",
        "s",
        "On average. Good: some milliseconds. Near a second: calls wait for tokens, or the"
        " processor is at its limit.",
        (_ADDED, "{{account}}"),
    ),
    lines(
        "Calls in hand",
        "none",
        "Good: calls a second times their duration. Bad: growing without end, because Zoom does not"
        " answer.",
        (f"sum by (instance) ({select('inflight_requests', of=FLEET)})", "{{instance}}"),
    ),
)

REPLICAS: Final = (
    states("Scraped", "Good: yes.", (f"up{{{FLEET}}}", "{{instance}}"), YES_NO),
    states(
        "The store works",
        "Good: yes. No for one replica: its way to the store. For all: the store.",
        (select("store_up", of=FLEET), "{{instance}}"),
        YES_NO,
    ),
    lines(
        "Replicas that the store knows",
        "none",
        "Good: the same number for all. It differs: replicas use different stores.",
        (select("store_replicas", of=FLEET), "{{instance}}"),
    ),
    lines(
        "Generation",
        "none",
        "The newest token that each replica knows. Good: one line for each account.",
        (most("account, instance", "token_generation"), BY_REPLICA),
    ),
    lines(
        "Generations behind the others",
        "none",
        "Good: 0, or a short peak at a mint.",
        (most("account, instance", "token_lag"), BY_REPLICA),
    ),
    stack(
        "Versions",
        "none",
        "Replicas of each version. Good: one version, but for a rollout.",
        (f"count by (version) ({select('build_info', of=FLEET)})", "{{version}}"),
    ),
    lines(
        "Memory",
        "bytes",
        "Resident. Bad: near the container's limit, or growing for days.",
        (f"process_resident_memory_bytes{{{FLEET}}} {OURS}", "{{instance}}"),
    ),
    lines(
        "Processor",
        "none",
        "Seconds a second. Bad: near 1 for each worker.",
        (f"rate(process_cpu_seconds_total{{{FLEET}}}{RATE}) {OURS}", "{{instance}}"),
    ),
    lines(
        "Open files and connections",
        "percentunit",
        "Of those allowed. Bad: near 100 %.",
        (f"process_open_fds{{{FLEET}}} / process_max_fds{{{FLEET}}} {OURS}", "{{instance}}"),
    ),
)
