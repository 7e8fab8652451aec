"""The dashboard's panels, as a table.

The rows stand in the order in which somebody who was woken up asks. Each description says what is
good and what is bad.
"""

from typing import Final

from dashboard_kinds import (
    BLUE,
    BY_FLEET,
    BY_REPLICA,
    BY_SLOT,
    FLEET,
    GREEN,
    GREY,
    NONE_IS_GOOD,
    ORANGE,
    RATE,
    RED,
    SLOT,
    YES_NO,
    Panel,
    count,
    increase,
    left,
    lines,
    most,
    rate,
    select,
    stack,
    stat,
    states,
)
from dashboard_limits import LIMITS
from dashboard_rates import RATES
from dashboard_replicas import REPLICAS, TIME

_5XX: Final = ', status=~"5.."'
_PASSED_ON: Final = ', outcome!="recovered"'
_ERROR_SHARE: Final = (
    f"(sum(rate({select('requests_total', _5XX)}{RATE})) or vector(0))"
    # Without a call in the range none failed; a division by 0 is no number.
    f" / (sum(rate({select('requests_total')}{RATE})) > 0) or vector(0)"
)
_PHASES: Final = " or ".join(
    "{} * {}".format(select("slot_phase", f', phase="{phase}"'), number)
    for number, phase in enumerate(("empty", "aside", "spare", "active"))
)
_CREDENTIALS: Final = (
    f"clamp_max(2 * {most('account', 'token_credentials_refused')}"
    f" + {most('account', 'token_previous_secret')}, 2)"
)
_ALERTS: Final = (
    "max by (alertname, account, severity)"
    ' (ALERTS{alertstate="firing", alertname=~"ZoomGateway.*",'
    ' cluster=~"$cluster", namespace=~"$namespace"})'
)

_PHASE_WORDS: Final = {
    0: ("empty", GREY),
    1: ("set aside", RED),
    2: ("spare", BLUE),
    3: ("active", GREEN),
}
_SECRET_WORDS: Final = {0: ("good", GREEN), 1: ("previous", ORANGE), 2: ("refused", RED)}


_CALLS: Final = (
    stat(
        "Accounts without a token",
        "none",
        "Good: 0. Calls of such an account fail: see the mints below.",
        count(f"{most(BY_FLEET, 'token_usable')} == 0"),
        *NONE_IS_GOOD,
    ),
    stat(
        "Calls that fail (5xx)",
        "percentunit",
        "Good: what Zoom itself fails with, far below 1 %. In the log, `error` tells the gateway's"
        " own answers from Zoom's.",
        _ERROR_SHARE,
        *((None, GREEN), (0.02, ORANGE), (0.25, RED)),
    ),
    stat(
        "Refusals that reach callers",
        "reqps",
        "Good: 0. Calls that Zoom refused because of the token and that could not be cured.",
        f"sum(rate({select('replays_total', _PASSED_ON)}{RATE}))",
        *((None, GREEN), (0.001, ORANGE)),
    ),
    stat(
        "Accounts in hold-off",
        "none",
        "Good: 0. Else Zoom refuses each new token: look at the app in its marketplace.",
        count(f"{most(BY_FLEET, 'token_fresh_refused')} == 1"),
        *NONE_IS_GOOD,
    ),
    stat(
        "Replicas without their store",
        "none",
        "Good: 0. Calls go on while the present tokens last.",
        count(f"{select('store_up', of=FLEET)} == 0"),
        *((None, GREEN), (1, ORANGE)),
    ),
    stat(
        "Replicas scraped",
        "none",
        "Good: as many as you run. 0 is bad: all are down, or Prometheus does not find them.",
        count(select("build_info", of=FLEET)),
        *((None, RED), (1, GREEN)),
    ),
    states(
        "Alerts",
        "Those that fire. Good: none.",
        (_ALERTS, "{{severity}} {{alertname}} {{account}}"),
        {1: ("firing", RED)},
        24,
    ),
    stack(
        "Calls by status",
        "reqps",
        "What callers saw. Bad: 5xx, and 401, which means that a refusal reached a caller. 499: the"
        " caller went away.",
        (rate("status", "requests_total"), "{{status}}"),
    ),
    lines(
        "Errors by route",
        "reqps",
        "The ten routes with most 5xx. Good: none. One route alone: Zoom's endpoint. All: Zoom, the"
        " way to it, or no token.",
        (f"topk(10, {rate('route, status', 'requests_total', _5XX)})", "{{status}} {{route}}"),
    ),
    stack(
        "Calls by account",
        "reqps",
        "Whose calls they are. Bad: many of `unknown`, which were refused before their account was"
        " known.",
        (rate("account", "requests_total"), "{{account}}"),
    ),
)

_TOKENS: Final = (
    states(
        "Tokens by slot",
        "The life of each slot's token. Good: one slot of an account is active at any time, and"
        " several take turns. Set aside: Zoom refused the token.",
        (f"max by ({SLOT}) ({_PHASES})", BY_SLOT),
        _PHASE_WORDS,
        24,
    ),
    lines(
        "Life left by slot",
        "s",
        "Good: a saw whose teeth end above 0. With two slots the active token is replaced at half"
        " of its life, with one at nine tenths. At 0 calls fail.",
        (left(SLOT, "slot_expires_at_seconds"), BY_SLOT),
    ),
    lines(
        "Until the next rotation",
        "s",
        "Good: above 0. Below 0 for more than a minute: rotations fail or wait.",
        (left(BY_FLEET, "token_rotates_at_seconds"), "{{account}}"),
    ),
    states(
        "Calls get a token",
        "By account and replica. Good: yes, but for the moment in which a replica starts.",
        (f"min by (account, instance) ({select('token_usable')})", BY_REPLICA),
        YES_NO,
    ),
)

_MINTS: Final = (
    stack(
        "Mints by reason",
        "none",
        "In 10 minutes. Good: rotations only, one or two an hour for each account. Many for"
        " refusals: something kills the tokens.",
        (increase("account, reason", "token_mints_total", "10m"), "{{account}} {{reason}}"),
    ),
    stack(
        "Mints by result",
        "none",
        "In 10 minutes. Good: success only. The first failure of a kind does not show here, but in"
        " the next panel.",
        (increase("account, result", "token_mints_total", "10m"), "{{account}} {{result}}"),
    ),
    lines(
        "Mints failed in a row",
        "none",
        "Good: 0, or short peaks. Calls go on while the present token lasts.",
        (most(SLOT, "slot_mint_failures"), BY_SLOT),
    ),
    states(
        "Credentials",
        "Good: good. Else Zoom takes only the previous client secret, or none.",
        (_CREDENTIALS, "{{account}}"),
        _SECRET_WORDS,
    ),
    states(
        "Slots",
        "Good: granted. Out: Zoom refuses the token index of the slot.",
        (most(SLOT, "slot_out"), BY_SLOT),
        {0: ("granted", GREEN), 1: ("out", RED)},
    ),
    lines(
        "Mint budget",
        "none",
        "Mints that refusals may cause at once. Good: near 120. At 0 calls wait, because tokens are"
        " killed faster than the gateway may mint.",
        (f"min by ({BY_FLEET}) ({select('token_mint_budget')})", "{{account}}"),
    ),
)

_REFUSALS: Final = (
    stack(
        "Refusals by cause",
        "reqps",
        "What became of Zoom's refusals of a token. Good: none. endpoint: the app lacks rights"
        " there. holdoff: new tokens are refused, too. superseded: harmless, the call came late.",
        (rate("account, cause", "token_refusals_total"), "{{account}} {{cause}}"),
    ),
    stack(
        "Refused calls by outcome",
        "reqps",
        "Good: recovered only. Everything else reached a caller.",
        (rate("account, outcome", "replays_total"), "{{account}} {{outcome}}"),
    ),
    lines(
        "Calls without their scope",
        "none",
        "In an hour. Good: 0. Else the status page names the operation, and the scope to add.",
        (increase("account", "scope_refusals_total", "1h"), "{{account}}"),
    ),
    lines(
        "Real tokens given away",
        "none",
        "In an hour, to callers whom a rule names. Good: as many as you expect. The log says who.",
        (increase("account", "real_tokens_total", "1h"), "{{account}}"),
    ),
    lines(
        "Tokens that another program killed",
        "none",
        "In an hour. Good: 0. Else somebody mints with these credentials: find it.",
        (increase("account", "token_foreign_mints_total", "1h"), "{{account}}"),
    ),
    lines(
        "Hold-off",
        "s",
        "Seconds in which refusals cause no mint. Good: 0.",
        (most("account", "token_holdoff_seconds"), "{{account}}"),
    ),
    states(
        "New tokens are accepted",
        "Good: yes. No: Zoom has refused several in a row as soon as it had issued them.",
        (f"1 - {most('account', 'token_fresh_refused')}", "{{account}}"),
        YES_NO,
        16,
    ),
)

ROWS: Final[tuple[tuple[str, tuple[Panel, ...]], ...]] = (
    ("Do calls succeed?", _CALLS),
    ("Is there a token?", _TOKENS),
    ("Can tokens be minted?", _MINTS),
    ("Who refuses what?", _REFUSALS),
    ("Do Zoom's limits stand in the way?", RATES),
    ("Where is the time lost?", TIME),
    ("Who gets in, and is there room?", LIMITS),
    ("Which replica is it?", REPLICAS),
)
