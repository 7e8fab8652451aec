"""Calls that Zoom refuses for want of a scope: told once for each operation, and remembered."""

from collections.abc import Callable
from dataclasses import replace

from gateway.core.diagnosis import Chart
from gateway.core.events import TokenEvent
from gateway.core.lacks import Lack, Lacks
from gateway.ports import Observer
from gateway.reports import CallReport

Tell = Callable[[str, Lack], None]
"""Told the account, and what it lacks. Must not raise or wait."""


class MissingScopes(Observer):
    """Implements `Observer`. With several workers each has its own, of the calls that it served."""

    def __init__(
        self,
        now: Callable[[], float],
        scopes_of: Callable[[str, str], tuple[str, ...]],
        tell: Tell,
    ) -> None:
        """`scopes_of` gives the scopes of an operation by method and path template: they are asked
        for where Zoom names none.
        """
        self._now = now
        self._scopes_of = scopes_of
        self._tell = tell
        self._lacks = Lacks()

    def call_ended(self, report: CallReport) -> None:
        lacks = self._lacks
        if report.lacking is None:
            if lacks.open and 200 <= report.status < 300:  # noqa: PLR2004  HTTP's classes
                lacks.accepted((report.account, report.method, report.route))
            return
        key = (report.account, report.method, report.route)
        scopes = report.lacking or self._scopes_of(report.method, report.route)
        lack = lacks.heard(key, scopes, report.generation, self._now())
        if lack is not None:
            self._tell(report.account, lack)

    def token_event(self, account: str, event: TokenEvent) -> None: ...

    def onto(self, account: str, chart: Chart) -> Chart:
        """The account's chart, with what it lacks."""
        if not self._lacks.open:
            return chart
        found = self._lacks.of(account, chart.account.usable(chart.now), chart.now)
        return replace(chart, lacks=found) if found else chart
