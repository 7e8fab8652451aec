"""What is wrong with an account, since when, and what to do: in sentences for people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.core.account import Account
from gateway.core.errors import MintFailure
from gateway.core.events import MintFailed
from gateway.core.lacks import Lack
from gateway.core.rate_use import HOUR, Errors
from gateway.core.token import Token

OVERDUE: Final = 60.0
"""Seconds after its rotation was due at which a token that was not rotated is a warning."""

LACKS_SHOWN: Final = 5
"""Operations without their scope that are told of by name."""

OVERDUE_SHARE: Final = 0.1
"""The same for short lives: never more than this share of the life."""


class Severity(StrEnum):
    ERROR = "error"
    """Calls fail."""
    WARNING = "warning"
    """Calls succeed, but somebody must act, or will have to."""
    NOTICE = "notice"
    """Good to know."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with an account or a listener, and what helps."""

    code: str
    """Stable, for programs."""
    severity: Severity
    sentence: str
    advice: str
    since: float | None = None
    """Seconds on the account's clock, where known."""
    cause: str = ""
    """Why mints fail, as the metric's `result` label has it; empty for all else."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What a replica knows of an account. Moments are on the account's clock."""

    account: Account
    now: float
    mint_failed: tuple[float, MintFailed] | None = None
    """Since the last mint that succeeded: when the failures began, and the newest."""
    foreign_mint: tuple[float, int] | None = None
    """The newest one, and how many this replica has counted."""
    previous_secret: bool = False
    """The newest token of an app was minted with its previous secret: Zoom took no other."""
    store_problem: str = ""
    store_since: float | None = None
    """When the store began to fail."""
    lacks: tuple[Lack, ...] = ()
    """What Zoom refuses now for want of a scope, the newest first."""
    errors: Errors | None = None
    """How many requests Zoom answers with errors, if that is high."""


def holdoff_sentence(age: float) -> str:
    return (
        f"Zoom refuses a token it issued {age:.0f} s ago: the app is deactivated, its owner's role "
        "changed, or another program mints with the same credentials."
    )


def ended(text: str) -> str:
    """What others have worded, as a sentence: with a full stop, and with one alone."""
    return text if text.endswith((".", "!", "?", '."')) else f"{text}."


def diagnose(chart: Chart) -> list[Diagnosis]:
    """Everything that is wrong, the worst first."""
    found = [one for look in _LOOKS if (one := look(chart)) is not None]
    found += _slots_out(chart) + _slots_linked(chart) + _suspects(chart)
    found += _scopes_missing(chart)
    return sorted(found, key=lambda one: list(Severity).index(one.severity))


def _no_token(chart: Chart) -> Diagnosis | None:
    if chart.account.usable(chart.now) is not None:
        return None
    if chart.mint_failed is None:
        return _none_yet(chart)
    since, failure = chart.mint_failed
    return Diagnosis(
        "no_token",
        Severity.ERROR,
        f"There is no usable token, and none can be minted: {ended(failure.message)}",
        _MINT_ADVICE[failure.failure],
        since,
        failure.failure.value,
    )


def _others_fail(chart: Chart) -> bool:
    """Mints fail in every slot. It was another replica's that failed, and it alone knows why."""
    slots = [slot for slot in chart.account.slots if not slot.barred]
    return chart.mint_failed is None and bool(slots) and all(slot.failures for slot in slots)


_STORE_ADVICE: Final = "Bring the store back, mend what is said of it here, or correct store.url."

_OTHERS_ADVICE: Final = (
    "See why on the status page, or in the log, of the other replicas. It is tried again by itself."
)


def _none_yet(chart: Chart) -> Diagnosis:
    if not chart.store_problem and _others_fail(chart):
        return Diagnosis(
            "no_token",
            Severity.ERROR,
            "There is no usable token, and the mints of another replica fail.",
            _OTHERS_ADVICE,
        )
    if not chart.store_problem:
        return Diagnosis(
            "no_token",
            Severity.ERROR,
            "There is no usable token." if chart.account.generation else "There is no token yet.",
            "A mint is due: wait some seconds. If nothing comes, see the gateway's log.",
        )
    return Diagnosis(
        "no_token",
        Severity.ERROR,
        "There is no usable token, and the store, which lends the right to mint, cannot be used:"
        f" {ended(chart.store_problem)}",
        f"{_STORE_ADVICE} What a replica does meanwhile is set by store.on_outage.",
        chart.store_since,
    )


_BY_ITSELF: Final = "It is tried again by itself."

_MINT_ADVICE: Final[Mapping[MintFailure, str]] = {
    MintFailure.INVALID_CLIENT: "Correct the credentials: client_id and client_secret, as the "
    "app's page in Zoom's marketplace shows them. A file that changes is noticed within seconds.",
    MintFailure.INVALID_ACCOUNT: "Correct account_id, or activate the app in Zoom's marketplace: "
    "Zoom knows the client, but not this account for it.",
    MintFailure.INVALID_INDEX: "Take the index out of token_indexes, or ask Zoom's support to "
    "raise the app's limit.",
    MintFailure.REFUSED: "Check account_id, the app's type (Server-to-Server OAuth) and "
    f"upstream.token_url. {_BY_ITSELF}",
    MintFailure.RATE_LIMITED: "Find the other programs that mint with this app, and point them at "
    f"this gateway. {_BY_ITSELF}",
    MintFailure.SERVER_ERROR: "Zoom is in trouble: see https://status.zoom.us. If it is not, see "
    f"what answers at upstream.token_url. {_BY_ITSELF}",
    MintFailure.MALFORMED: "See what answers at upstream.token_url: it need not be Zoom. "
    f"{_BY_ITSELF}",
    MintFailure.TIMEOUT: "Check the way to upstream.token_url (a firewall that drops, a proxy), "
    f"and https://status.zoom.us. {_BY_ITSELF}",
    MintFailure.CONNECTION: "This machine does not get to Zoom: check its network, DNS, firewall "
    f"and proxy, and upstream.token_url. {_BY_ITSELF}",
    MintFailure.BROKEN: "Something on the way to upstream.token_url cuts connections: check "
    f"proxy and firewall, and https://status.zoom.us. {_BY_ITSELF}",
}
"""What to do, by why mints fail."""


def _mint_failing(chart: Chart) -> Diagnosis | None:
    token = chart.account.usable(chart.now)
    if token is None:
        return None
    left = token.usable_until - chart.now
    if _others_fail(chart):
        return Diagnosis(
            "mint_failing",
            Severity.WARNING,
            "The mints of another replica fail; the token in use is good for another "
            f"{left:.0f} s.",
            _OTHERS_ADVICE,
        )
    if chart.mint_failed is None:
        return None
    since, failure = chart.mint_failed
    return Diagnosis(
        "mint_failing",
        Severity.WARNING,
        f"Mints fail; the token in use is good for another {left:.0f} s: {ended(failure.message)}",
        _MINT_ADVICE[failure.failure],
        since,
        failure.failure.value,
    )


def _late(chart: Chart) -> float | None:
    """Seconds since a rotation was due of which nothing was heard, good or bad."""
    token, due = chart.account.usable(chart.now), chart.account.rotate_at
    if token is None or due is None or chart.mint_failed is not None:
        return None
    # A token that stands in for a younger one follows rules of its own.
    if token.generation != chart.account.generation:
        return None
    late = chart.now - due
    return late if late > min(OVERDUE, token.lifetime * OVERDUE_SHARE) else None


def _left(token: Token, now: float) -> str:
    return f"it is good for another {token.usable_until - now:.0f} s"


def _overdue(chart: Chart) -> Diagnosis | None:
    late, token = _late(chart), chart.account.active
    if late is None or token is None or chart.store_problem:
        return None
    return Diagnosis(
        "rotation_overdue",
        Severity.WARNING,
        f"The token in use was to be replaced {late:.0f} s ago, and was not; "
        f"{_left(token, chart.now)}.",
        "See the gateway's log for why no replica mints.",
        chart.now - late,
    )


def _held_off(chart: Chart) -> Diagnosis | None:
    held = chart.account.holdoff
    if held is None:
        return None
    token = chart.account.active
    issued = token.issued_at if token else held.since
    return Diagnosis(
        "fresh_refused",
        Severity.ERROR,
        holdoff_sentence(chart.now - issued),
        "Look at the app in Zoom's marketplace: is it active, and who owns it? If nothing changed "
        "there, rotate the client secret: that locks other minters out.",
        held.since,
    )


def _foreign(chart: Chart) -> Diagnosis | None:
    if chart.foreign_mint is None:
        return None
    at, count = chart.foreign_mint
    return Diagnosis(
        "foreign_mint",
        Severity.WARNING,
        f"Another program mints with these credentials: it killed {count} of our tokens, the last "
        f"one {chart.now - at:.0f} s ago.",
        "Find it and point it at this gateway, then rotate the client secret.",
        at,
    )


def _previous_secret(chart: Chart) -> Diagnosis | None:
    if not chart.previous_secret:
        return None
    return Diagnosis(
        "previous_secret",
        Severity.WARNING,
        "Zoom takes only the previous client secret.",
        "Correct client_secret before Zoom stops taking the previous one.",
    )


def _store(chart: Chart) -> Diagnosis | None:
    if not chart.store_problem:
        return None
    sentence = f"The token store cannot be used: {ended(chart.store_problem)}"
    token = chart.account.usable(chart.now)
    if token is not None and _late(chart) is not None:
        sentence = (
            f"{sentence} The token in use was not replaced when it was due; "
            f"{_left(token, chart.now)}."
        )
    advice = _STORE_ADVICE
    if token is not None:
        advice = f"Calls go on with the token that this replica holds. {advice}"
    return Diagnosis("store_down", Severity.WARNING, sentence, advice, chart.store_since)


ERRORS_ADVICE: Final = (
    "Zoom may disable an app for that: find the calls that fail, and their callers, in the log and"
    " by zoom_gateway_requests_total, and mend or stop them."
)


def errors_sentence(found: Errors) -> str:
    span = "hour" if found.minutes == HOUR else f"{found.minutes} minutes"
    return (
        f"Zoom answered {found.errors} of {found.requests} requests of the last {span} with errors"
        f" ({100 * found.ratio:.0f} %)."
    )


def _error_ratio(chart: Chart) -> Diagnosis | None:
    if chart.errors is None:
        return None
    return Diagnosis(
        "error_ratio_high", Severity.WARNING, errors_sentence(chart.errors), ERRORS_ADVICE
    )


_LOOKS: tuple[Callable[[Chart], Diagnosis | None], ...] = (
    _no_token,
    _held_off,
    _mint_failing,
    _overdue,
    _foreign,
    _previous_secret,
    _store,
    _error_ratio,
)


def _slots_out(chart: Chart) -> list[Diagnosis]:
    return [
        Diagnosis(
            "slot_out",
            Severity.WARNING,
            f"Slot {slot.id} is out: {ended(slot.barred)}",
            "Take the index out of token_indexes, or ask Zoom's support to raise the app's limit.",
        )
        for slot in chart.account.slots
        if slot.barred
    ]


def _slots_linked(chart: Chart) -> list[Diagnosis]:
    return [
        Diagnosis(
            "slots_linked",
            Severity.WARNING,
            f"A mint in one of the slots {' and '.join(map(str, sorted(pair)))} kills the token of "
            "the other (Zoom ignores the token index), so they are treated as one.",
            "Use a second app instead of a second index.",
        )
        for pair, apart in chart.account.apart.items()
        if not apart
    ]


def _suspects(chart: Chart) -> list[Diagnosis]:
    return [
        Diagnosis(
            "endpoint_refuses",
            Severity.NOTICE,
            f"{endpoint} refuses a token that is alive.",
            "The endpoint is at fault, not the token: check the app's rights and plan for it.",
        )
        for endpoint, until in sorted(chart.account.suspects.items())
        if until > chart.now
    ]


def _scopes_missing(chart: Chart) -> list[Diagnosis]:
    """Notices: other calls are well, and whether this one should be is the operator's to say."""
    rest = len(chart.lacks) - LACKS_SHOWN
    found = [
        Diagnosis(
            "scope_missing",
            Severity.NOTICE,
            f"Zoom refuses {lack.operation}: the token lacks {lack.scope}.",
            f"Add {lack.scope} to the app in the Zoom Marketplace; it arrives with the next "
            "rotation, or with Rotate now.",
            lack.since,
        )
        for lack in chart.lacks[:LACKS_SHOWN]
    ]
    if rest > 0:
        found.append(
            Diagnosis(
                "scope_missing",
                Severity.NOTICE,
                f"{rest} more operations are refused for want of a scope.",
                "See missing_scopes in /status.json for all of them.",
            )
        )
    return found
