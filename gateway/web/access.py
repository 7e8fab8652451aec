"""Whether a call may be made: the keys, and the rules."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import unquote_to_bytes

from gateway.core.caller import Caller
from gateway.core.errors import CallRefusedError
from gateway.core.headers import CallerHeaders
from gateway.core.keys import Keys, WrongKeyError
from gateway.core.policy import DEFAULT, Decision, Group, Policy
from gateway.core.token_rights import TokenRights
from gateway.reports import CallReport
from gateway.web.admit import Call
from gateway.web.repeats import KnownHeader, Passed

_OVERRIDES: Final = frozenset(
    {
        b"x-http-method-override",
        b"x-http-method",
        b"x-method-override",
        b"x-original-url",
        b"x-rewrite-url",
    }
)
"""Fields by which some servers take a call for another one than its first line says."""


_METHOD: Final = re.compile(rb"(?:^|[&;])[ +]*[_.[]method(?:=|[&;\0]|\[|$)", re.IGNORECASE)
"""PHP overlooks blanks before a parameter's name, and reads `.` and `[` in it as `_`."""


@dataclass(frozen=True, slots=True)
class Access:
    """`keys` gives the keys as they are now, shown in the field `key_header` (in lower case).

    `policy` None: everybody may call everything. `former` are the fields that showed keys before,
    where callers may show them still.
    """

    policy: Policy | None
    keys: Callable[[], Keys]
    key_header: bytes
    former: frozenset[bytes] = frozenset()
    tokens: TokenRights | None = None
    """Who may have the real token; None: nobody."""

    def check(
        self, call: Call, caller: Caller, report: CallReport, known: KnownHeader | None = None
    ) -> None:
        """Raises CallRefusedError, and says in the report why, for who may not make the call."""
        keys, policy = self.keys(), self.policy
        if policy is None and not keys:
            return
        passed = None if known is None else known.passed
        if (
            passed is not None
            and policy is not None
            and passed.keys is keys
            and passed.account == call.account.name
            and call.target.emulated is None
        ):
            decision = _decision(policy, passed.group, call)
            if decision.allowed and b"?" in call.target.upstream:
                _refuse_overrides(call, report)
            report.key = passed.key
            _heed(decision, report)
            return
        key = self._key(keys, call.headers, report)
        report.key = key or ""
        if policy is None:
            return
        if call.target.emulated is not None:
            # The body may name another account: see `check_account`.
            account = call.account.name if call.selected else None
            decision = policy.may_call(caller, key, account)
            if not decision.allowed and self._lends(caller, key, account):
                return
        else:
            group = policy.group(caller, key, call.account.name)
            decision = _decision(policy, group, call)
            if decision.allowed:
                _refuse_overrides(call, report)
                if known is not None:
                    known.passed = Passed(keys, call.account.name, group, report.key)
        _heed(decision, report)

    def check_account(self, call: Call, caller: Caller, report: CallReport, account: str) -> None:
        """The same, for what is answered here, once it is known which account it is about."""
        if self.policy is not None:
            key = self._key(self.keys(), call.headers, report)
            if not self._lends(caller, key, account):
                _heed(self.policy.may_call(caller, key, account), report)

    def lending_rule(
        self, call: Call, caller: Caller, report: CallReport, account: str
    ) -> str | None:
        """The rule that lets the caller have the account's real token; None: none does.

        Raises CallRefusedError for a wrong key.
        """
        if self.tokens is None:
            return None
        key = self._key(self.keys(), call.headers, report)
        return self.tokens.rule_for(caller, key, account)

    def _lends(self, caller: Caller, key: str | None, account: str | None) -> bool:
        return self.tokens is not None and self.tokens.rule_for(caller, key, account) is not None

    def _key(self, known: Keys, headers: CallerHeaders, report: CallReport) -> str | None:
        if not known:
            return None
        try:
            return known.name_in(self.key_header, headers.values(self.key_header))
        except WrongKeyError:
            _refuse(
                report,
                "key",
                "",
                "The key of this call is none that is known here, or there are several. Send one"
                " that is in force, and ask who runs the gateway for it.",
            )


def _decision(policy: Policy, group: Group, call: Call) -> Decision:
    target = call.target
    if target.host is not None:
        return policy.decide_elsewhere(group, call.method, target.host, target.path)
    return policy.decide_for(group, call.method, target.path)


def _heed(decision: Decision, report: CallReport) -> None:
    if not decision.allowed:
        _refuse(
            report,
            "default" if decision.rule == DEFAULT else "rule",
            decision.rule,
            "This caller may not make this call. Who runs the gateway finds the rule that refused"
            " it in the log, by X-Request-Id, and can allow it (access.rules).",
        )


def _refuse_overrides(call: Call, report: CallReport) -> None:
    # Servers of the CGI kind take `X_HTTP_Method` for `X-HTTP-Method`.
    names = [name.lower().replace(b"_", b"-") for name, _ in call.headers.kept]
    if not _OVERRIDES.isdisjoint(names) or _overridden(call.target.upstream):
        _refuse(
            report,
            "rule",
            "",
            "A field such as X-HTTP-Method-Override, or _method in the query, is not taken where"
            " rules say who may call what: send the call as it is meant.",
        )


def _overridden(target: bytes) -> bool:
    """Whether the query holds `_method`, by which Spring, Rails and others change a POST's."""
    query = target.partition(b"?")[2]
    return bool(query) and _METHOD.search(unquote_to_bytes(query)) is not None


def _refuse(report: CallReport, reason: str, rule: str, message: str) -> NoReturn:
    report.denied, report.rule = reason, rule
    raise CallRefusedError(403, "not_allowed", message)
