"""What each token event says, as a line of the log."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from gateway.core.account import SUSPICION
from gateway.core.diagnosis import ended, holdoff_sentence
from gateway.core.errors import NEEDS_OPERATOR
from gateway.core.events import (
    Adopted,
    EndpointSuspected,
    ForeignMint,
    HoldoffBegan,
    HoldoffEnded,
    LostMint,
    Minted,
    MintFailed,
    PutBack,
    RefusalCause,
    SlotOut,
    SlotsLinked,
    StoreDown,
    StoreUp,
    Switched,
    TokenEvent,
)
from gateway.core.status import span
from gateway.core.token import SlotId


class Line(NamedTuple):
    level: Literal["debug", "info", "warning", "error"]
    event: str
    """Stable, for programs."""
    message: str
    """A sentence, for people."""
    fields: dict[str, Any]


_BECAME: Final = {
    RefusalCause.SUPERSEDED: "had been replaced already",
    RefusalCause.TOKEN: "was set aside",
    RefusalCause.FRESH: "was set aside, though Zoom had never accepted it",
    RefusalCause.HOLDOFF: "stays: too many new tokens were refused in a row",
    RefusalCause.ENDPOINT: "is alive: the endpoint refuses by itself",
    RefusalCause.UNDECIDED: "stays: no probe told in time whether it is alive",
}


def became(cause: RefusalCause) -> str:
    """Give what became of a refused token, as the end of a sentence."""
    return _BECAME[cause]


def refusals_line(cause: RefusalCause, count: int) -> Line:
    """Give the line for several refusals with the same cause."""
    calls = "1 call" if count == 1 else f"{count} calls"
    text = f"Zoom refused the token of {calls}; it {became(cause)}."
    return Line("warning", "token_refusals", text, {"cause": cause.value, "count": count})


def line_of(event: TokenEvent) -> Line | None:
    """Give the line of an event; None if there is none for its kind."""
    make = _LINES.get(type(event))
    return make(event) if make else None


def _slot(slot: SlotId) -> dict[str, Any]:
    return {"app": slot.app, "index": slot.index}


def _minted(event: Minted) -> Line:
    fields = {
        **_slot(event.slot),
        "cause": event.cause.value,
        "generation": event.generation,
        "lifetime": round(event.lifetime, 1),
        "took_ms": round(event.took * 1000, 1),
        "previous_secret": event.previous_secret,
    }
    text = (
        f"Minted token {event.generation} in slot {event.slot} ({event.cause.value}), good for "
        f"{span(event.lifetime)}."
    )
    if event.previous_secret:
        text += " Zoom took only the previous client secret: correct client_secret."
        return Line("warning", "token_minted", text, fields)
    return Line("info", "token_minted", text, fields)


def _adopted(event: Adopted) -> Line:
    text = (
        f"Replica {event.minter} minted token {event.generation} in slot {event.slot} "
        f"({event.cause.value}); it is used here, too."
    )
    fields = {**_slot(event.slot), "cause": event.cause.value, "generation": event.generation}
    return Line("debug", "token_adopted", text, fields)


def _mint_failed(event: MintFailed) -> Line:
    operator = event.failure in NEEDS_OPERATOR
    text = (
        f"No token could be minted in slot {event.slot}: {ended(event.message)} The next try "
        f"is in {event.retry_in:.1f} s."
    )
    if operator:
        text += " No retry cures this: correct the credentials, or look at the app at Zoom."
    fields = {
        **_slot(event.slot),
        "cause": event.cause.value,
        "failure": event.failure.value,
        "retry_in": round(event.retry_in, 1),
    }
    return Line("error" if operator else "warning", "mint_failed", text, fields)


def _switched(event: Switched) -> Line:
    text = f"The spare token {event.generation} of slot {event.slot} is the active one now."
    return Line(
        "info", "token_switched", text, {**_slot(event.slot), "generation": event.generation}
    )


def _foreign(event: ForeignMint) -> Line:
    text = (
        f"Another program mints with these credentials: it killed token {event.generation} of slot "
        f"{event.slot}. Find it and point it at this gateway, then rotate the client secret."
    )
    return Line(
        "warning", "foreign_mint", text, {**_slot(event.slot), "generation": event.generation}
    )


def _slot_out(event: SlotOut) -> Line:
    text = (
        f"Slot {event.slot} is out until the configuration changes: {ended(event.message)} "
        "Take the index out of token_indexes, or ask Zoom's support to raise the app's limit."
    )
    return Line("warning", "slot_out", text, _slot(event.slot))


def _linked(event: SlotsLinked) -> Line:
    one, other = event.slots
    text = (
        f"A mint in slot {other} killed the token of slot {one}, so the two are treated as one. "
        "Use a second app instead of a second index."
    )
    fields = {**_slot(one), "other_app": other.app, "other_index": other.index}
    return Line("warning", "slots_linked", text, fields)


def _suspected(event: EndpointSuspected) -> Line:
    text = (
        f"{event.endpoint} refuses a token that is alive: check the app's rights and plan for it. "
        f"For {span(SUSPICION)} its refusals are judged by a probe."
    )
    return Line("warning", "endpoint_suspected", text, {"endpoint": event.endpoint})


def _holdoff(event: HoldoffBegan) -> Line:
    fields = {
        "generation": event.generation,
        "age": round(event.age, 1),
        "seconds": round(event.seconds, 1),
    }
    return Line("error", "holdoff_began", holdoff_sentence(event.age), fields)


def _holdoff_over(event: HoldoffEnded) -> Line:
    text = f"Zoom accepts token {event.generation}: the hold-off is over."
    return Line("info", "holdoff_ended", text, {"generation": event.generation})


def _lost(event: LostMint) -> Line:
    text = (
        f"A mint in slot {event.slot} has no known end: Zoom may have made a token that nobody "
        "holds, and killed the one before it."
    )
    return Line("warning", "mint_lost", text, _slot(event.slot))


def _store_down(event: StoreDown) -> Line:
    text = f"The token store cannot be used: {ended(event.message)}"
    return Line("warning", "store_down", text, {})


def _store_up(_: StoreUp) -> Line:
    return Line("info", "store_up", "The token store works again.", {})


def _put_back(event: PutBack) -> Line:
    text = (
        f"The token store had lost what it held; generation {event.generation} is back in it, "
        "without a mint."
    )
    return Line("warning", "store_put_back", text, {"generation": event.generation})


_LINES: Final[Mapping[type[TokenEvent], Callable[[Any], Line]]] = {
    Minted: _minted,
    Adopted: _adopted,
    MintFailed: _mint_failed,
    Switched: _switched,
    ForeignMint: _foreign,
    SlotOut: _slot_out,
    SlotsLinked: _linked,
    EndpointSuspected: _suspected,
    HoldoffBegan: _holdoff,
    HoldoffEnded: _holdoff_over,
    LostMint: _lost,
    StoreDown: _store_down,
    StoreUp: _store_up,
    PutBack: _put_back,
}
