"""What this replica has counted since it started, for the status page."""

from collections import Counter
from collections.abc import Mapping

from gateway.core.events import ForeignMint, Minted, MintFailed, Refused, TokenEvent
from gateway.ports import Observer
from gateway.reports import CallReport, ReplayOutcome

NAMES = ("calls", "refusals", "recovered", "passed_on", "mints", "mint_failures", "foreign_mints")
"""Every total, in the order of the page. `recovered` and `passed_on` are calls that were
refused: the former ended well, the latter did not."""


class Totals(Observer):
    """Implements `Observer`."""

    def __init__(self) -> None:
        self._accounts: dict[str, dict[str, int]] = {}
        self._denied: Counter[str] = Counter()

    def totals(self) -> Mapping[str, Mapping[str, int]]:
        """Give the totals by account and name; an account that nothing happened to is missing."""
        return self._accounts

    def calls(self) -> int:
        """How many calls ended, those that were refused included."""
        return sum(counts["calls"] for counts in self._accounts.values())

    def denied(self) -> Mapping[str, int]:
        """How many calls were not allowed, by reason."""
        return self._denied

    def call_ended(self, report: CallReport) -> None:
        counts = self._of(report.account)
        counts["calls"] += 1
        if report.denied:
            self._denied[report.denied] += 1
        if report.outcome is not None:
            recovered = report.outcome is ReplayOutcome.RECOVERED
            counts["recovered" if recovered else "passed_on"] += 1

    def token_event(self, account: str, event: TokenEvent) -> None:
        name = _COUNTED.get(type(event))
        if name is not None:
            self._of(account)[name] += 1

    def _of(self, account: str) -> dict[str, int]:
        counts = self._accounts.get(account)
        if counts is None:
            counts = self._accounts[account] = dict.fromkeys(NAMES, 0)
        return counts


_COUNTED: Mapping[type[TokenEvent], str] = {
    Refused: "refusals",
    Minted: "mints",
    MintFailed: "mint_failures",
    ForeignMint: "foreign_mints",
}
