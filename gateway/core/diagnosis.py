"""What is wrong with an account, since when, and what to do: in sentences for people."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gateway.core.account import Account
from gateway.core.errors import NEEDS_OPERATOR
from gateway.core.events import MintFailed


class Severity(StrEnum):
    ERROR = "error"
    """Calls fail."""
    WARNING = "warning"
    """Calls succeed, but somebody must act, or will have to."""
    NOTICE = "notice"
    """Good to know."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    code: str
    """Stable, for programs."""
    severity: Severity
    sentence: str
    advice: str
    since: float | None = None
    """Seconds on the account's clock, where known."""


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


def holdoff_sentence(age: float) -> str:
    return (
        f"Zoom refuses a token it issued {age:.0f} s ago: the app is deactivated, its owner's role "
        "changed, or another program mints with the same credentials."
    )


def diagnose(chart: Chart) -> list[Diagnosis]:
    """Everything that is wrong, the worst first."""
    found = [one for look in _LOOKS if (one := look(chart)) is not None]
    found += _slots_out(chart) + _slots_linked(chart) + _suspects(chart)
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
        f"There is no usable token, and none can be minted: {failure.message}",
        _mint_advice(failure),
        since,
    )


def _none_yet(chart: Chart) -> Diagnosis:
    if not chart.store_problem:
        return Diagnosis("no_token", Severity.ERROR, "There is no token yet.", "A mint is due.")
    return Diagnosis(
        "no_token",
        Severity.ERROR,
        "There is no usable token, and the store, which lends the right to mint, cannot be used:"
        f" {chart.store_problem}",
        "See store.url. What a replica does meanwhile is set by store.on_outage.",
    )


def _mint_advice(failure: MintFailed) -> str:
    if failure.failure in NEEDS_OPERATOR:
        return "Correct the credentials, or look at the app in Zoom's marketplace."
    return "Check the way to the token endpoint (upstream.token_url) and Zoom's status page."


def _mint_failing(chart: Chart) -> Diagnosis | None:
    token = chart.account.usable(chart.now)
    if chart.mint_failed is None or token is None:
        return None
    since, failure = chart.mint_failed
    left = token.usable_until - chart.now
    return Diagnosis(
        "mint_failing",
        Severity.WARNING,
        f"Mints fail; the token in use is good for another {left:.0f} s: {failure.message}",
        _mint_advice(failure),
        since,
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
    return Diagnosis(
        "store_down",
        Severity.WARNING,
        f"The token store cannot be used: {chart.store_problem}",
        "Calls go on with the token that this replica holds. See store.url."
        if chart.account.usable(chart.now)
        else "See store.url.",
    )


_LOOKS: tuple[Callable[[Chart], Diagnosis | None], ...] = (
    _no_token,
    _held_off,
    _mint_failing,
    _foreign,
    _previous_secret,
    _store,
)


def _slots_out(chart: Chart) -> list[Diagnosis]:
    return [
        Diagnosis(
            "slot_out",
            Severity.WARNING,
            f"Slot {slot.id} is out: {slot.barred}",
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
