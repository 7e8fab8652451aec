"""Admission: everything that is decided about a call before anything is awaited."""

from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.core.endpoint import Endpoint
from gateway.core.headers import CallerHeaders, Field, for_upstream, framing
from gateway.core.repeated import Repeated
from gateway.core.routes import OTHER
from gateway.core.target import Target, chosen_account, plain_target, read_target, with_query
from gateway.web.accounts import AccountContext, Accounts
from gateway.web.errors import METHODS, MethodRefusedError
from gateway.web.request import CallerBody, Request

_CONTINUE: Final = b"100-continue"

_REMEMBERED: Final = 4096
"""Paths whose reading is kept; when there are more, all are read anew."""

_SHORT: Final = 256
"""Bytes of a path up to which its reading is kept."""


class Call(NamedTuple):
    """An admitted call.

    `fields` go to Zoom, all but the token. `declared` is the body's length in bytes if it is
    known, `body` None if there is none. `selected` says that the call named its account;
    `account` may be UNDECIDED only if the call is answered here.
    """

    method: str
    target: Target
    account: AccountContext
    selected: bool
    endpoint: Endpoint
    headers: CallerHeaders
    fields: list[Field]
    body: CallerBody | None
    declared: int | None


class Admission:
    """Turns requests into calls."""

    def __init__(
        self,
        accounts: Accounts,
        endpoint_of: Callable[[str, bytes], Endpoint],
        host: bytes,
    ) -> None:
        """`host` is the upstream's authority, as its `Host` field says it."""
        self._accounts = accounts
        self._endpoint_of = endpoint_of
        self._host = host
        self._known: dict[tuple[str, bytes], tuple[Target, Endpoint]] = {}
        """What was read of the paths (without query) that came last."""

    def admit(self, request: Request, headers: CallerHeaders, body: CallerBody | None) -> Call:
        """Check a call, `body` its body. Raises CallRefusedError."""
        if request.broken is not None:
            raise request.broken
        method = request.method
        if method in {"CONNECT", "TRACE"}:
            # After CONNECT the parser takes everything for the tunnel's.
            raise MethodRefusedError(
                "CONNECT and TRACE are not forwarded.", METHODS, close=method == "CONNECT"
            )
        frame, fields = self._sent(request, headers)
        special = headers.special
        hosts = special.get(b"host", ())
        target, endpoint = self._read(method, request.target, hosts[0] if hosts else None)
        named = special.get(b"x-zoom-account", ())
        shown = special.get(b"authorization", ())
        name = chosen_account(target, named, shown) if named or shown else target.account
        # The emulated token endpoint may find the account in a body that was not read yet.
        account_of = (
            self._accounts.named if target.emulated is None else self._accounts.named_or_undecided
        )
        return Call(
            method,
            target,
            account_of(name),
            name is not None,
            endpoint,
            headers,
            fields,
            body,
            int(frame[1]) if frame is not None and frame[1].isdigit() else None,
        )

    def again(self, request: Request, call: Call, headers: CallerHeaders) -> Call:
        """Give a call that was admitted, as this one that differs in values alone."""
        method, target, account, selected, endpoint, *_ = call
        frame, fields = self._sent(request, headers)
        del frame  # that of a call without a body
        return Call(
            method, target, account, selected, endpoint, headers, fields, None, call.declared
        )

    def _sent(self, request: Request, headers: CallerHeaders) -> tuple[Field | None, list[Field]]:
        """What frames the body on its way to Zoom, and all that goes there but the token."""
        known = request.known
        if known is not None and known.shared is not None:
            shared = known.shared
            return known.frame, shared.varied(request.values) if request.values else shared
        frame = framing(headers, http11=request.http11)
        fields = for_upstream(headers, self._host, frame)
        if known is not None:
            known.frame, known.shared = frame, Repeated(fields, known.spots)
            return frame, known.shared
        return frame, fields

    def _read(self, method: str, raw: bytes, host: bytes | None) -> tuple[Target, Endpoint]:
        """Read a target, and name its endpoint. Raises CallRefusedError.

        What takes time is remembered; of paths that are plain there are too many, and they take
        none.
        """
        path, mark, query = raw.partition(b"?")
        plain = plain_target(path)
        if plain is not None:
            target = with_query(plain, mark + query) if mark else plain
            if target is not None:
                return target, self._endpoint_of(method, path)
        known = self._known.get((method, path))
        if known is not None:
            if not mark:
                return known
            target = with_query(known[0], mark + query)
            if target is not None:
                return target, known[1]
        target = read_target(raw, host)
        endpoint = self._endpoint_of(method, target.path)
        # The absolute form depends on the Host field, too; and of paths in no template there are
        # too many, so that whoever names them keeps count.
        if len(path) <= _SHORT and raw.startswith(b"/") and endpoint.route != OTHER:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            bare = target if not mark else read_target(path, host)
            self._known[method, path] = bare, endpoint
        return target, endpoint


def body_of(request: Request, headers: CallerHeaders) -> CallerBody | None:
    """Give the call's body, None if there is none. It may be withheld: see `CallerBody`."""
    if not request.has_body:
        return None
    expects = headers.values(b"expect")
    awaits = request.http11 and any(value.lower() == _CONTINUE for value in expects)
    return CallerBody(request, awaits_continue=awaits)
