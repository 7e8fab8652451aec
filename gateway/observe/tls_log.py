"""Lines about the TLS of the proxy port."""

from collections.abc import Mapping, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway.observe.throttle import Later, Throttle, call_later

PERIOD: Final = 60.0
"""Seconds between two lines of the same kind: a scanner must not fill the log, and files that
cannot be used are tried again every few seconds."""

_WORDS: Final[Mapping[str, str]] = {
    "plain_http": "it sent HTTP without TLS: its base URL must begin with https://",
    "not_tls": "what it sent is no TLS",
    "timeout": "it was not done in time",
    "gone": "the caller broke it off; it may not trust the gateway's certificate, or have been "
    "refused for its own",
    "distrusted": "the caller does not trust the gateway's certificate",
    "no_certificate": "it showed no certificate, and tls.client_certificates is required",
    "bad_certificate": "its certificate cannot be verified with tls.client_ca_file",
    "version": "it speaks no version that tls.minimum_version allows",
    "cipher": "it knows no cipher or signature that is safe",
    "crowded": "too many others were under way",
}

_AGES: Final[Mapping[str, str]] = {
    "early": "is not valid yet: is the clock right?",
    "due": "ends soon and should have been renewed by now",
    "expired": "has expired: callers that check it end their connections",
}


class TlsLog:
    """Each method is one kind of line."""

    def __init__(self, log: FilteringBoundLogger, later: Later = call_later) -> None:
        self._log = log
        self._handshakes = Throttle(PERIOD, later)
        self._reloads = Throttle(PERIOD, later)

    def reloaded(self, names: Sequence[str], expires: str) -> None:
        """Files changed, and new connections get what they hold now."""
        self._log.info(
            "tls_reloaded",
            message=f"The files of section tls were read again; new connections get the "
            f"certificate that is good until {expires}.",
            names=names,
            expires=expires,
        )

    def reload_failed(self, problems: Sequence[str]) -> None:
        """Files changed and cannot be used; each problem is a sentence."""
        self._reloads.hit(
            tuple(problems),
            lambda count: self._log.error(
                "tls_reload_failed",
                message="The files of section tls changed and cannot be used; what was read before "
                "stays in use, and they are tried again. "
                + " ".join(f"{one}." for one in problems),
                problems=problems,
                count=count,
            ),
        )

    def certificate_old(self, names: Sequence[str], expires: str, age: str) -> None:
        """Somebody should renew the certificate: `age` is `early`, `due` or `expired`."""
        self._log.warning(
            "tls_certificate_old",
            message=f"The certificate of the proxy port {_AGES[age]}. It is good until {expires}.",
            names=names,
            expires=expires,
        )

    def handshake_failed(self, failure: str, caller: str, detail: str) -> None:
        """A connection came to nothing; the caller shown is one of `count`."""
        words = _WORDS.get(failure, "it failed")
        self._handshakes.hit(
            failure,
            lambda count: self._log.warning(
                "tls_handshake_failed",
                message=f"A caller's TLS handshake failed: {words}.",
                failure=failure,
                caller=caller,
                reason=detail,
                count=count,
            ),
        )
