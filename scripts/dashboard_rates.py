"""The row about Zoom's rate limits, and about how much of what it is asked it refuses."""

from typing import Final

from dashboard_kinds import RATE, Panel, lines, select, stack

_FAILED: Final = ', result="failure"'
_LIMIT: Final = "account, category, type"
_BY_LIMIT: Final = "{{account}}: {{category}}, {{type}}"
_FRESH: Final = 300
"""Seconds for which what Zoom told of a limit is shown: then it says nothing any more."""


# Replicas hear of a limit at different moments: the lowest counts.
_LEFT: Final = (
    f"min by ({_LIMIT}) ({select('ratelimit_remaining')} / {select('ratelimit_limit')}"
    f" and (time() - {select('ratelimit_told_at_seconds')} < {_FRESH}))"
)


_WAITS: Final = f"sum by (le) (rate({select('pace_wait_seconds_bucket')}{RATE}))"


def _share(window: str) -> str:
    answers = f"sum by (account) (increase({select('zoom_answers_total')}[{window}]))"
    failed = f"sum by (account) (increase({select('zoom_answers_total', _FAILED)}[{window}]))"
    return f"{failed} / {answers}"


RATES: Final[tuple[Panel, ...]] = (
    stack(
        "429s by Zoom",
        "none",
        "In 10 minutes, those of calls that were sent again among them. Good: none. per_second: set"
        " ratelimit.retry. daily: nothing goes until midnight UTC.",
        (f"sum by ({_LIMIT}) (increase({select('ratelimited_total')}[10m]))", _BY_LIMIT),
    ),
    lines(
        "Left of Zoom's limits",
        "percentunit",
        "As its answers told it last. Bad: near 0 for daily, with hours to go until midnight UTC.",
        (
            _LEFT,
            _BY_LIMIT,
        ),
    ),
    stack(
        "Limited calls sent again",
        "reqps",
        "By how they ended, where ratelimit.retry is set. Good: recovered; the others reached their"
        " callers as 429.",
        (
            f"sum by (outcome) (rate({select('ratelimit_retries_total')}{RATE}))",
            "{{outcome}}",
        ),
    ),
    lines(
        "Errors among Zoom's answers",
        "percentunit",
        "4xx and 5xx, those of calls that were sent again among them. Bad: above 20 % in an hour:"
        " Zoom may disable the app.",
        (_share("10m"), "{{account}}, 10 minutes"),
        (_share("1h"), "{{account}}, an hour"),
    ),
    lines(
        "Used of the limits, where calls are paced",
        "percentunit",
        "By the fleet, where ratelimit.pace is set. Bad: always near 100 %, as calls wait for"
        " their turn.",
        (
            f"max by (account, category) ({select('pace_used_ratio')})",
            "{{account}}: {{category}}",
        ),
    ),
    lines(
        "Waits of calls for their turn",
        "s",
        "Of those that had to wait. Bad: near ratelimit.pace_wait.",
        *(
            (
                f"histogram_quantile({share}, {_WAITS})",
                name,
            )
            for share, name in ((0.5, "median"), (0.99, "99 %"))
        ),
    ),
    stack(
        "Calls without a turn",
        "reqps",
        "late: their turn did not come in time. full: one caller has too many waiting. day: the"
        " day's calls are used up. Good: none, or one caller's alone.",
        (
            f"sum by (account, reason) (rate({select('pace_refused_total')}{RATE}))",
            "{{account}}: {{reason}}",
        ),
    ),
)
