"""The dashboard's panels, as a table.

The rows stand in the order in which somebody who was woken up asks. Each description says what is
good and what is bad.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FLEET: Final = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job"'
ACCOUNT: Final = f'{FLEET}, account=~"$account"'

OURS: Final = f"and on (cluster, namespace, job, instance) zoom_gateway_build_info{{{FLEET}}}"
"""Others expose metrics of processes, too."""

_RATE: Final = "[$__rate_interval]"
_SLOT: Final = "cluster, namespace, job, account, app, index"
_GREEN, _BLUE, _ORANGE, _RED, _GREY = "green", "blue", "orange", "red", "#808080"

Query = tuple[str, str]
"""An expression and the legend of its series."""

Words = Mapping[int, tuple[str, str]]
"""What a value stands for, and its colour."""


@dataclass(frozen=True)
class Panel:
    """`steps`: from which value on which colour; `width` and `height` in cells of the grid."""

    title: str
    kind: str
    unit: str
    description: str
    queries: tuple[Query, ...]
    width: int = 8
    height: int = 8
    steps: tuple[tuple[float | None, str], ...] = ((None, _GREEN),)
    words: Words = field(default_factory=dict)
    stacked: bool = False


def _stat(title: str, unit: str, text: str, expr: str, *steps: tuple[float | None, str]) -> Panel:
    return Panel(title, "stat", unit, text, ((expr, ""),), 4, 4, steps)


def _lines(title: str, unit: str, text: str, *queries: Query) -> Panel:
    return Panel(title, "timeseries", unit, text, queries)


def _stack(title: str, unit: str, text: str, *queries: Query) -> Panel:
    return Panel(title, "timeseries", unit, text, queries, stacked=True)


def _states(title: str, text: str, query: Query, words: Words, width: int = 8) -> Panel:
    return Panel(title, "state-timeline", "none", text, (query,), width, words=words)


def _select(metric: str, more: str = "", of: str = ACCOUNT) -> str:
    return f"zoom_gateway_{metric}{{{of}{more}}}"


def _max(by: str, metric: str) -> str:
    return f"max by ({by}) ({_select(metric)})"


def _rate(by: str, metric: str, more: str = "") -> str:
    return f"sum by ({by}) (rate({_select(metric, more)}{_RATE}))"


def _increase(by: str, metric: str, window: str) -> str:
    return f"sum by ({by}) (increase({_select(metric)}[{window}]))"


def _left(by: str, metric: str) -> str:
    """Seconds until a moment; nothing where the moment is 0."""
    return f"max by ({by}) ({_select(metric)} > 0) - time()"


def _count(condition: str) -> str:
    return f"count({condition}) or vector(0)"


def _quantiles(metric: str) -> list[Query]:
    inner = _rate("le", f"{metric}_duration_seconds_bucket")
    return [(f"histogram_quantile({share / 100}, {inner})", f"p{share}") for share in (50, 95, 99)]


_5XX: Final = ', status=~"5.."'
_PASSED_ON: Final = ', outcome!="recovered"'
_BY_FLEET: Final = "cluster, namespace, job, account"
_ERROR_SHARE: Final = (
    f"(sum(rate({_select('requests_total', _5XX)}{_RATE})) or vector(0))"
    # Without a call in the range none failed; a division by 0 is no number.
    f" / (sum(rate({_select('requests_total')}{_RATE})) > 0) or vector(0)"
)
_DENIED: Final = f"sum by (reason) (rate({_select('access_denied_total', of=FLEET)}{_RATE}))"
_ADDED: Final = (
    f"({_rate('account', 'request_duration_seconds_sum')}"
    f" - {_rate('account', 'upstream_duration_seconds_sum')})"
    f" / {_rate('account', 'request_duration_seconds_count')}"
)
_PHASES: Final = " or ".join(
    "{} * {}".format(_select("slot_phase", f', phase="{phase}"'), number)
    for number, phase in enumerate(("empty", "aside", "spare", "active"))
)
_CREDENTIALS: Final = (
    f"clamp_max(2 * {_max('account', 'token_credentials_refused')}"
    f" + {_max('account', 'token_previous_secret')}, 2)"
)
_ALERTS: Final = (
    "max by (alertname, account, severity)"
    ' (ALERTS{alertstate="firing", alertname=~"ZoomGateway.*",'
    ' cluster=~"$cluster", namespace=~"$namespace"})'
)

_NONE_IS_GOOD: Final = ((None, _GREEN), (1, _RED))
_YES_NO: Final = {0: ("no", _RED), 1: ("yes", _GREEN)}
_PHASE_WORDS: Final = {
    0: ("empty", _GREY),
    1: ("set aside", _RED),
    2: ("spare", _BLUE),
    3: ("active", _GREEN),
}
_SECRET_WORDS: Final = {0: ("good", _GREEN), 1: ("previous", _ORANGE), 2: ("refused", _RED)}

_BY_SLOT: Final = "{{account}} {{app}}/{{index}}"
_BY_REPLICA: Final = "{{account}} {{instance}}"

_CALLS: Final = (
    _stat(
        "Accounts without a token",
        "none",
        "Good: 0. Calls of such an account fail: see the mints below.",
        _count(f"{_max(_BY_FLEET, 'token_usable')} == 0"),
        *_NONE_IS_GOOD,
    ),
    _stat(
        "Calls that fail (5xx)",
        "percentunit",
        "Good: what Zoom itself fails with, far below 1 %. In the log, `error` tells the gateway's"
        " own answers from Zoom's.",
        _ERROR_SHARE,
        *((None, _GREEN), (0.02, _ORANGE), (0.25, _RED)),
    ),
    _stat(
        "Refusals that reach callers",
        "reqps",
        "Good: 0. Calls that Zoom refused because of the token and that could not be cured.",
        f"sum(rate({_select('replays_total', _PASSED_ON)}{_RATE}))",
        *((None, _GREEN), (0.001, _ORANGE)),
    ),
    _stat(
        "Accounts in hold-off",
        "none",
        "Good: 0. Else Zoom refuses each new token: look at the app in its marketplace.",
        _count(f"{_max(_BY_FLEET, 'token_fresh_refused')} == 1"),
        *_NONE_IS_GOOD,
    ),
    _stat(
        "Replicas without their store",
        "none",
        "Good: 0. Calls go on while the present tokens last.",
        _count(f"{_select('store_up', of=FLEET)} == 0"),
        *((None, _GREEN), (1, _ORANGE)),
    ),
    _stat(
        "Replicas scraped",
        "none",
        "Good: as many as you run. 0 is bad: all are down, or Prometheus does not find them.",
        _count(_select("build_info", of=FLEET)),
        *((None, _RED), (1, _GREEN)),
    ),
    _states(
        "Alerts",
        "Those that fire. Good: none.",
        (_ALERTS, "{{severity}} {{alertname}} {{account}}"),
        {1: ("firing", _RED)},
        24,
    ),
    _stack(
        "Calls by status",
        "reqps",
        "What callers saw. Bad: 5xx, and 401, which means that a refusal reached a caller. 499: the"
        " caller went away.",
        (_rate("status", "requests_total"), "{{status}}"),
    ),
    _lines(
        "Errors by route",
        "reqps",
        "The ten routes with most 5xx. Good: none. One route alone: Zoom's endpoint. All: Zoom, the"
        " way to it, or no token.",
        (f"topk(10, {_rate('route, status', 'requests_total', _5XX)})", "{{status}} {{route}}"),
    ),
    _stack(
        "Calls by account",
        "reqps",
        "Whose calls they are. Bad: many of `unknown`, which were refused before their account was"
        " known.",
        (_rate("account", "requests_total"), "{{account}}"),
    ),
    _stack(
        "Calls denied",
        "reqps",
        "By the access policy. Good: none. After a change of the rules, or of a caller: in the log,"
        " `rule` says which rule. `key`: somebody guesses, or has an old key.",
        (_DENIED, "{{reason}}"),
    ),
)

_TOKENS: Final = (
    _states(
        "Tokens by slot",
        "The life of each slot's token. Good: one slot of an account is active at any time, and"
        " several take turns. Set aside: Zoom refused the token.",
        (f"max by ({_SLOT}) ({_PHASES})", _BY_SLOT),
        _PHASE_WORDS,
        24,
    ),
    _lines(
        "Life left by slot",
        "s",
        "Good: a saw whose teeth end above 0. With two slots the active token is replaced at half"
        " of its life, with one at nine tenths. At 0 calls fail.",
        (_left(_SLOT, "slot_expires_at_seconds"), _BY_SLOT),
    ),
    _lines(
        "Until the next rotation",
        "s",
        "Good: above 0. Below 0 for more than a minute: rotations fail or wait.",
        (_left(_BY_FLEET, "token_rotates_at_seconds"), "{{account}}"),
    ),
    _states(
        "Calls get a token",
        "By account and replica. Good: yes, but for the moment in which a replica starts.",
        (f"min by (account, instance) ({_select('token_usable')})", _BY_REPLICA),
        _YES_NO,
    ),
)

_MINTS: Final = (
    _stack(
        "Mints by reason",
        "none",
        "In 10 minutes. Good: rotations only, one or two an hour for each account. Many for"
        " refusals: something kills the tokens.",
        (_increase("account, reason", "token_mints_total", "10m"), "{{account}} {{reason}}"),
    ),
    _stack(
        "Mints by result",
        "none",
        "In 10 minutes. Good: success only. The first failure of a kind does not show here, but in"
        " the next panel.",
        (_increase("account, result", "token_mints_total", "10m"), "{{account}} {{result}}"),
    ),
    _lines(
        "Mints failed in a row",
        "none",
        "Good: 0, or short peaks. Calls go on while the present token lasts.",
        (_max(_SLOT, "slot_mint_failures"), _BY_SLOT),
    ),
    _states(
        "Credentials",
        "Good: good. Else Zoom takes only the previous client secret, or none.",
        (_CREDENTIALS, "{{account}}"),
        _SECRET_WORDS,
    ),
    _states(
        "Slots",
        "Good: granted. Out: Zoom refuses the token index of the slot.",
        (_max(_SLOT, "slot_out"), _BY_SLOT),
        {0: ("granted", _GREEN), 1: ("out", _RED)},
    ),
    _lines(
        "Mint budget",
        "none",
        "Mints that refusals may cause at once. Good: near 120. At 0 calls wait, because tokens are"
        " killed faster than the gateway may mint.",
        (f"min by ({_BY_FLEET}) ({_select('token_mint_budget')})", "{{account}}"),
    ),
)

_REFUSALS: Final = (
    _stack(
        "Refusals by cause",
        "reqps",
        "What became of Zoom's refusals of a token. Good: none. endpoint: the app lacks rights"
        " there. holdoff: new tokens are refused, too. superseded: harmless, the call came late.",
        (_rate("account, cause", "token_refusals_total"), "{{account}} {{cause}}"),
    ),
    _stack(
        "Refused calls by outcome",
        "reqps",
        "Good: recovered only. Everything else reached a caller.",
        (_rate("account, outcome", "replays_total"), "{{account}} {{outcome}}"),
    ),
    _lines(
        "Tokens that another program killed",
        "none",
        "In an hour. Good: 0. Else somebody mints with these credentials: find it.",
        (_increase("account", "token_foreign_mints_total", "1h"), "{{account}}"),
    ),
    _lines(
        "Hold-off",
        "s",
        "Seconds in which refusals cause no mint. Good: 0.",
        (_max("account", "token_holdoff_seconds"), "{{account}}"),
    ),
    _states(
        "New tokens are accepted",
        "Good: yes. No: Zoom has refused several in a row as soon as it had issued them.",
        (f"1 - {_max('account', 'token_fresh_refused')}", "{{account}}"),
        _YES_NO,
        16,
    ),
)

_TIME: Final = (
    _lines(
        "Duration, as callers see it",
        "s",
        "Good: as the next panel. What is more here was spent in the gateway.",
        *_quantiles("request"),
    ),
    _lines(
        "Duration at Zoom",
        "s",
        "From the first sending to the end of the last answer. Bad: it rises. Then it is Zoom, or"
        " the way to it.",
        *_quantiles("upstream"),
    ),
    _lines(
        "Added by the gateway",
        "s",
        "On average. Good: some milliseconds. Near a second: calls wait for tokens, or the"
        " processor is at its limit.",
        (_ADDED, "{{account}}"),
    ),
    _lines(
        "Calls in hand",
        "none",
        "Good: calls a second times their duration. Bad: growing without end, because Zoom does not"
        " answer.",
        (f"sum by (instance) ({_select('inflight_requests', of=FLEET)})", "{{instance}}"),
    ),
)

_REPLICAS: Final = (
    _states("Scraped", "Good: yes.", (f"up{{{FLEET}}}", "{{instance}}"), _YES_NO),
    _states(
        "The store works",
        "Good: yes. No for one replica: its way to the store. For all: the store.",
        (_select("store_up", of=FLEET), "{{instance}}"),
        _YES_NO,
    ),
    _lines(
        "Replicas that the store knows",
        "none",
        "Good: the same number for all. It differs: replicas use different stores.",
        (_select("store_replicas", of=FLEET), "{{instance}}"),
    ),
    _lines(
        "Generation",
        "none",
        "The newest token that each replica knows. Good: one line for each account.",
        (_max("account, instance", "token_generation"), _BY_REPLICA),
    ),
    _lines(
        "Generations behind the others",
        "none",
        "Good: 0, or a short peak at a mint.",
        (_max("account, instance", "token_lag"), _BY_REPLICA),
    ),
    _stack(
        "Versions",
        "none",
        "Replicas of each version. Good: one version, but for a rollout.",
        (f"count by (version) ({_select('build_info', of=FLEET)})", "{{version}}"),
    ),
    _lines(
        "Memory",
        "bytes",
        "Resident. Bad: near the container's limit, or growing for days.",
        (f"process_resident_memory_bytes{{{FLEET}}} {OURS}", "{{instance}}"),
    ),
    _lines(
        "Processor",
        "none",
        "Seconds a second. Bad: near 1 for each worker.",
        (f"rate(process_cpu_seconds_total{{{FLEET}}}{_RATE}) {OURS}", "{{instance}}"),
    ),
    _lines(
        "Open files and connections",
        "percentunit",
        "Of those allowed. Bad: near 100 %.",
        (f"process_open_fds{{{FLEET}}} / process_max_fds{{{FLEET}}} {OURS}", "{{instance}}"),
    ),
)

ROWS: Final[tuple[tuple[str, tuple[Panel, ...]], ...]] = (
    ("Do calls succeed?", _CALLS),
    ("Is there a token?", _TOKENS),
    ("Can tokens be minted?", _MINTS),
    ("Who refuses what?", _REFUSALS),
    ("Where is the time lost?", _TIME),
    ("Which replica is it?", _REPLICAS),
)
