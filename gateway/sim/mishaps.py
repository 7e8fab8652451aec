"""What can go wrong with an API call whose token is good."""

from dataclasses import dataclass, replace
from typing import Literal

from gateway.sim import answers
from gateway.sim.answers import Answer
from gateway.sim.exchange import Exchange
from gateway.sim.faults import Faults
from gateway.sim.refusals import matches
from gateway.sim.state import SimState

TITLES = {500: "Internal Server Error", 502: "Bad gateway", 503: "Service Temporarily Unavailable"}


@dataclass(frozen=True, slots=True)
class Mishap:
    """`instead` replaces the operation; the rest spoils its answer."""

    instead: Answer | None = None
    drop: bool = False
    cut: Literal["length", "chunked"] | None = None

    def apply(self, answer: Answer) -> Answer:
        """Spoil an answer."""
        if self.drop:
            return answers.DROPPED
        return replace(answer, cut=self.cut) if self.cut else answer


def slowness(state: SimState, exchange: Exchange, template: str) -> float:
    """Return the seconds that this call takes."""
    faults = state.board.faults
    place = (exchange.method, exchange.path, template)
    extra = [
        slow.delay for slow in faults.api_delay_paths if slow.path and slow.path.matches(*place)
    ]
    return max(extra, default=faults.delay)


def redirected(state: SimState, exchange: Exchange, template: str) -> Answer | None:
    """Return the redirect of this path, if there is one."""
    redirect = state.board.faults.redirect
    place = (exchange.method, exchange.path, template)
    if redirect is None or redirect.path is None or not redirect.path.matches(*place):
        return None
    return Answer(redirect.status, b"", None, (("Location", redirect.location),))


def mishap(state: SimState, exchange: Exchange, template: str) -> Mishap:
    """Decide what goes wrong with this call."""
    faults = state.board.faults
    place = (exchange.method, exchange.path, template)
    if faults.fault_paths and not matches(faults.fault_paths, place):
        return Mishap()
    failing = faults.status is not None or faults.fail_next is not None
    if failing and state.board.use("fail_next"):
        return Mishap(instead=_failure(faults))
    if faults.drop and _drops(state, faults):
        if not faults.drop_acts:
            cut = replace(answers.html(502, TITLES[502]), cut="length")
            return Mishap(instead=answers.DROPPED if faults.drop == "before_headers" else cut)
        if faults.drop == "before_headers":
            return Mishap(drop=True)
        return Mishap(cut="length")
    return Mishap(cut=faults.cut_body)


def _drops(state: SimState, faults: Faults) -> bool:
    if faults.drop_next is not None:
        return state.board.use("drop_next")
    return faults.drop_share is None or state.chance.random() < faults.drop_share


def _failure(faults: Faults) -> Answer:
    status = faults.status or 503
    if faults.html:
        answer = answers.html(status, TITLES.get(status, "Error"))
    elif faults.status_body is not None:
        answer = answers.shaped(status, faults.status_body)
    else:
        answer = answers.zoom_error(status, status, TITLES.get(status, "Error"))
    return answers.with_headers(answer, faults.status_headers)
