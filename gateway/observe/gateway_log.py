"""Lines about the gateway itself: its life, and faults of its own."""

import signal
from collections.abc import Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway.core.diagnosis import ERRORS_ADVICE, errors_sentence
from gateway.core.lacks import Lack
from gateway.core.rate_use import Errors
from gateway.observe.failure import describe
from gateway.observe.throttle import Later, Throttle, call_later
from gateway.observe.tls_log import TlsLog
from gateway.reports import CallReport

FAULTS_PERIOD = 1.0
"""Seconds between two lines about faults of the same kind."""

STRANGERS_PERIOD = 60.0
"""Seconds between two lines about unknown account ids: SDKs ask for a token again and again."""

EXPORTS_PERIOD = 60.0
"""Seconds between two lines about exports that fail for the same reason."""

LIMITS_PERIOD = 10.0
"""Seconds between two lines about the same limit: whoever attacks must not fill the log."""

_REACHED: Final = {
    "calls": "{most:g} calls are in hand; further ones are refused",
    "calls_per_account": "an account has as many calls in hand as it may; further ones of it are "
    "refused",
    "connections": "{most:g} connections are open; for a new one an idle one is closed, or it is "
    "refused",
    "connections_per_caller": "a caller has {most:g} connections; for a new one an idle one of its "
    "own is closed, or it is refused",
    "header_bytes": "a header was longer than it may be",
    "header_fields": "a header had more than {most:g} fields",
    "header_timeout": "a caller did not send a whole header within {most:g} s",
    "body_timeout": "a caller sent nothing of its body for {most:g} s",
    "send_timeout": "a caller took nothing of its answer for {most:g} s",
    "call_timeout": "a call took longer than {most:g} s",
    "kept_memory": "bodies in memory take {most:g} bytes; further ones go to disk",
    "kept_disk": "bodies on disk take {most:g} bytes; further ones are not kept, so refusals of "
    "their calls are passed on",
}
"""What happened, by the key of the limit. Idle connections that are closed are no news."""


class GatewayLog:
    """What the wiring calls; each method is one kind of line."""

    def __init__(self, log: FilteringBoundLogger, later: Later = call_later) -> None:
        self._log = log
        self.tls = TlsLog(log, later)
        self._faults = Throttle(FAULTS_PERIOD, later)
        self._strangers = Throttle(STRANGERS_PERIOD, later)
        self._exports = Throttle(EXPORTS_PERIOD, later)
        self._limits = Throttle(LIMITS_PERIOD, later)

    def started(  # noqa: PLR0913  each is a field of the line
        self,
        version: str,
        listen: str,
        admin: str,
        store: str,
        accounts: Sequence[str],
        egress_proxy: str | None = None,
        *,
        tls: bool = False,
    ) -> None:
        """The listeners take calls. Addresses as `host:port`, that of calls perhaps `unix:/path`;
        `store` is the URL's scheme alone.
        """
        where = f"{listen} over TLS" if tls else listen
        by = f" It reaches Zoom by the proxy {egress_proxy}." if egress_proxy else ""
        self._log.info(
            "started",
            message=f"zoom-gateway {version} takes calls on {where}; its state is on {admin}.{by}",
            version=version,
            listen=listen,
            admin=admin,
            store=store,
            accounts=accounts,
            **({"egress_proxy": egress_proxy} if egress_proxy else {}),
        )

    def reloaded(self, changed: Sequence[str]) -> None:
        """The configuration was read again; `changed` names sections and accounts."""
        what = f"changed: {', '.join(changed)}" if changed else "nothing changed"
        self._log.info(
            "reloaded",
            message=f"The configuration was read again; {what}.",
            changed=changed,
        )

    def reload_failed(self, problems: Sequence[str]) -> None:
        """The configuration cannot be used any more; each problem is a sentence."""
        self._log.error(
            "reload_failed",
            message="The configuration was read again and cannot be used; what was in force stays. "
            + " ".join(f"{problem}." for problem in problems),
            problems=problems,
        )

    def restart_needed(self, keys: Sequence[str]) -> None:
        """These keys changed, and nothing but a restart applies them."""
        self._log.warning(
            "restart_needed",
            message=f"Only a restart applies the change of {', '.join(keys)}; "
            "the addresses that are in use stay.",
            changed=keys,
        )

    def draining(self, signal: str, inflight: int) -> None:
        """The gateway was told to stop, and finishes the calls in hand."""
        self._log.info(
            "draining",
            message=f"Stopping on {signal}: {inflight} calls are in hand.",
            signal=signal,
            inflight=inflight,
        )

    def stopped(self, inflight: int) -> None:
        """The gateway ends; so many calls were cut off."""
        text = f"Stopped; {inflight} calls were cut off." if inflight else "Stopped."
        tell = self._log.warning if inflight else self._log.info
        tell("stopped", message=text, inflight=inflight)

    def key_unreadable(self, problem: str) -> None:
        """A file of `access.keys` cannot be used any more; `problem` names it."""
        self._log.warning(
            "key_unreadable",
            message=f"The keys of callers stay as they were: {problem}.",
            problems=[problem],
        )

    def defect(self, error: BaseException) -> None:
        """Nobody expected this error: its type and place, never its text."""
        about = describe(error)
        self._faults.hit(
            (about["exception"], about.get("place")),
            lambda count: self._log.error(
                "defect",
                message="A fault of the gateway's own. Please report it with this line.",
                count=count,
                **about,
            ),
        )

    def unknown_account_id(self, account_id: str) -> None:
        """The emulated token endpoint was asked for an account that is not configured."""
        self._strangers.hit(
            "account_id",
            lambda count: self._log.warning(
                "unknown_account_id",
                message="A caller asked for a token of an account that is not configured; it gets "
                "the placeholder of the account that its base URL stands for, if there is one.",
                account_id=account_id,
                count=count,
            ),
        )

    def spans_lost(self, reason: str) -> None:
        """A batch of spans could not be exported: `reason` in words that may be shown."""
        self._exports.hit(
            reason,
            lambda count: self._log.warning(
                "spans_lost",
                message="The collector takes no spans, so some are lost; calls are not concerned: "
                "check tracing.endpoint and tracing.headers_file.",
                reason=reason,
                count=count,
            ),
        )

    def rotation_requested(self, account: str, caller: str, *, began: bool) -> None:
        """Somebody asked on the admin port for a new token; `caller` is the address."""
        then = "A mint is due at once." if began else "One was on its way already."
        self._log.info(
            "rotation_requested",
            message=f"A new token was asked for on the admin port. {then}",
            account=account,
            caller=caller,
        )

    def real_token_given(self, report: CallReport, account: str, generation: int) -> None:
        """A caller got the account's real token from the emulated token endpoint."""
        named = {"caller_name": report.caller_name} if report.caller_name else {}
        self._log.warning(
            "real_token_given",
            message=f"A caller was given token {generation} of account {account} itself, by the "
            f"rule {report.rule}.",
            request_id=report.request_id,
            caller=report.caller,
            **named,
            account=account,
            generation=generation,
            rule=report.rule,
        )

    def scope_missing(self, account: str, lack: Lack) -> None:
        """Zoom refuses an operation, because the token lacks a scope."""
        self._log.warning(
            "scope_missing",
            message=f"Zoom refuses {lack.operation}: the token lacks {lack.scope}. Add it to the "
            "app in the Zoom Marketplace; it arrives with the next rotation, or with Rotate now.",
            account=account,
            method=lack.method,
            route=lack.route,
            scopes=lack.scopes,
            generation=lack.generation,
        )

    def ca_file_unusable(self, sentence: str) -> None:
        """`upstream.ca_file` changed and cannot be used; `sentence` says what holds instead."""
        self._log.error("ca_file_unusable", message=f"{sentence}.")

    def api_url_ignored(self, account: str, api_url: str) -> None:
        """With `upstream.api_url: auto`: a token came with the name of a host that gets none."""
        shown = "".join(one if one.isprintable() else "?" for one in api_url[:100])
        self._log.warning(
            "api_url_ignored",
            message=f"The token endpoint names {shown} as the account's API, which is not Zoom's:"
            " calls go on to the usual one.",
            account=account,
        )

    def store_file_set_aside(self, sentence: str) -> None:
        """A token file could not be read; `sentence` says which, and where it is kept."""
        self._log.error("store_file_set_aside", message=sentence)

    def no_replay_directory(self, directory: str | None, limit: int, error: OSError) -> None:
        """No body can be kept in a file; `directory` None: the system's; `limit` in bytes."""
        where = directory or "the system's directories for temporary files"
        self._log.warning(
            "no_replay_directory",
            message=f"No temporary file can be made in {where}, so bodies are kept in memory "
            f"alone: of one of more than {limit} bytes a refusal is passed on. Mount a directory "
            "that can be written to, at /tmp or wherever replay.dir says.",
            reason=error.strerror or type(error).__name__,
        )

    def error_ratio_high(self, account: str, found: Errors) -> None:
        """Zoom answers many of an account's requests with errors."""
        self._log.warning(
            "error_ratio_high",
            message=f"{errors_sentence(found)} {ERRORS_ADVICE}",
            account=account,
            minutes=found.minutes,
            requests=found.requests,
            errors=found.errors,
        )

    def error_ratio_normal(self, account: str) -> None:
        """It does so no longer."""
        self._log.info(
            "error_ratio_normal",
            message="Zoom answers this account's requests with few errors again.",
            account=account,
        )

    def limit_reached(self, limit: str, most: float) -> None:
        """A limit, by its key, refused or ended something; `most` is its value."""
        what = _REACHED.get(limit)
        if what is None:
            return
        text = f"limits.{limit}: {what.format(most=most)}."
        self._limits.hit(
            limit,
            lambda count: self._log.warning(
                "limit_reached", message=text, limit=limit, most=most, count=count
            ),
        )

    def descriptors_exhausted(self) -> None:
        """No file descriptor was free for a connection."""
        self._limits.hit(
            "descriptors",
            lambda count: self._log.error(
                "descriptors_exhausted",
                message="No file descriptor is free. New connections wait, and calls that need one "
                "to Zoom get 503; those in hand go on. Raise the process's limit (ulimit -n), or "
                "lower limits.connections or limits.calls.",
                count=count,
            ),
        )

    def body_not_kept(self, error: OSError) -> None:
        """A body goes on streaming, but could not be sent again: no temporary file for it."""
        self._faults.hit(
            "body_not_kept",
            lambda count: self._log.warning(
                "body_not_kept",
                message="No temporary file for a call's body, so a refusal of it is passed on: "
                "check replay.dir and the free space there.",
                reason=error.strerror or type(error).__name__,
                count=count,
            ),
        )


class WorkersLog:
    """What the parent of several workers has to say."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log

    def started(self, worker: int, pid: int) -> None:
        """A worker process was started."""
        self._log.info(
            "worker_started", message=f"Worker {worker} was started.", worker=worker, pid=pid
        )

    def died(self, worker: int, pid: int, code: int, reason: str, restart_in: float | None) -> None:
        """A worker ended, with `code` as `subprocess` has it; or, with a `reason`, never began.

        `restart_in` in seconds; None: it is given up.
        """
        if reason:
            how = f"could not be started: {reason}"
        else:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        then = "" if restart_in is None else f" It is started again in {restart_in:g} s."
        self._log.error(
            "worker_died",
            message=f"Worker {worker} {how}.{then}",
            worker=worker,
            pid=pid or None,
            exit_code=None if reason or code < 0 else code,
            signal=_signal_name(-code) if code < 0 else None,
            restart_in=restart_in,
        )

    def killed(self, worker: int, pid: int) -> None:
        """A worker did not end in time."""
        self._log.error(
            "worker_killed",
            message=f"Worker {worker} did not end in time and was killed.",
            worker=worker,
            pid=pid,
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
