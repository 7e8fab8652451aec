"""The log that is in force: its format and level may change while the gateway runs."""

from structlog.typing import FilteringBoundLogger

from gateway.core.events import TokenEvent
from gateway.core.lacks import Lack
from gateway.core.rate_use import Errors
from gateway.observe.access_log import AccessLog
from gateway.observe.gateway_log import GatewayLog
from gateway.observe.token_log import TokenLog
from gateway.ports import Observer
from gateway.reports import CallReport


class Lines(Observer):
    """Implements `Observer`, and hears of what else is logged by parts that outlive a log."""

    def __init__(self, log: FilteringBoundLogger, sample: float) -> None:
        self.use(log, sample)

    def use(self, log: FilteringBoundLogger, sample: float) -> None:
        """Write to `log` from now on, and of calls that went well that share."""
        self.gateway = GatewayLog(log)
        self._calls = AccessLog(log, sample)
        self._tokens = TokenLog(log)

    def call_ended(self, report: CallReport) -> None:
        self._calls.call_ended(report)
        if report.lent is not None:
            self.gateway.real_token_given(report, *report.lent)

    def token_event(self, account: str, event: TokenEvent) -> None:
        self._tokens.token_event(account, event)

    def defect(self, error: BaseException) -> None:
        self.gateway.defect(error)

    def unknown_account_id(self, account_id: str) -> None:
        self.gateway.unknown_account_id(account_id)

    def key_unreadable(self, problem: str) -> None:
        self.gateway.key_unreadable(problem)

    def spans_lost(self, reason: str) -> None:
        self.gateway.spans_lost(reason)

    def scope_missing(self, account: str, lack: Lack) -> None:
        self.gateway.scope_missing(account, lack)

    def ca_file_unusable(self, sentence: str) -> None:
        self.gateway.ca_file_unusable(sentence)

    def api_url_ignored(self, account: str, api_url: str) -> None:
        self.gateway.api_url_ignored(account, api_url)

    def store_file_set_aside(self, sentence: str) -> None:
        self.gateway.store_file_set_aside(sentence)

    def body_not_kept(self, error: OSError) -> None:
        self.gateway.body_not_kept(error)

    def limit_reached(self, limit: str, most: float) -> None:
        self.gateway.limit_reached(limit, most)

    def error_ratio(self, account: str, high: Errors | None) -> None:
        if high is None:
            self.gateway.error_ratio_normal(account)
        else:
            self.gateway.error_ratio_high(account, high)

    def descriptors_exhausted(self) -> None:
        self.gateway.descriptors_exhausted()
