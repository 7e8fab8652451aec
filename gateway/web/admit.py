"""Admission: everything that is decided about a call before anything is awaited."""

from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.core.endpoint import Endpoint
from gateway.core.errors import CallRefusedError
from gateway.core.headers import CallerHeaders, Field, for_upstream, framing
from gateway.core.host_routes import HostRoutes
from gateway.core.loops import LOWER, LoopMark
from gateway.core.repeated import Repeated
from gateway.core.routes import OTHER
from gateway.core.target import Target, chosen_account, plain_target, read_target, with_query
from gateway.web.accounts import AccountContext, Accounts
from gateway.web.errors import LOOP, METHODS, MethodRefusedError
from gateway.web.origins import Origin
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
    origin: Origin


class Admission:
    """Turns requests into calls."""

    def __init__(
        self,
        accounts: Accounts,
        endpoint_of: Callable[[str, bytes], Endpoint],
        origin: Origin,
        elsewhere: Callable[[str], Origin],
        mark: LoopMark | None = None,
    ) -> None:
        """`origin` is where calls go whose account has none of its own. `elsewhere` gives it for
        another host, or raises CallRefusedError. `mark` is this gateway's own.
        """
        self._accounts = accounts
        self._endpoint_of = endpoint_of
        self._origin = origin
        self._elsewhere = elsewhere
        self._mark = mark
        self._routes = HostRoutes()
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
        # First, too: where it is in doubt the connection ends, whatever else is wrong.
        frame = self._frame(request, headers)
        special = headers.special
        hosts = special.get(b"host", ())
        host = hosts[0] if hosts else None
        route = self._routes.of(host) if host else None
        if LOWER in special and self._mark is not None and self._mark.among(special[LOWER]):
            raise CallRefusedError(508, "loop", f"{LOOP}.")
        if route is None or route.other is None:
            target, endpoint = self._read(method, request.target, host)
        else:
            target, endpoint = self._read_for(route.other, method, request.target, host)
        named = special.get(b"x-zoom-account", ())
        shown = special.get(b"authorization", ())
        name = chosen_account(target, named, shown) if named or shown else target.account
        # The emulated token endpoint may find the account in a body that was not read yet.
        account_of = (
            self._accounts.named if target.emulated is None else self._accounts.named_or_undecided
        )
        account = account_of(name)
        origin = self._origin_of(target, account)
        return Call(
            method,
            target,
            account,
            name is not None,
            endpoint,
            headers,
            _sent(
                request,
                headers,
                origin,
                frame,
                # Else it cannot come back.
                self._mark if route and (route.zooms or host == origin.host) else None,
            ),
            body,
            int(frame[1]) if frame is not None and frame[1].isdigit() else None,
            origin,
        )

    def _origin_of(self, target: Target, account: AccountContext) -> Origin:
        """Where the call goes. Raises CallRefusedError."""
        if target.host is not None:
            return self._elsewhere(target.host)
        return self._origin if account.api is None else account.api.origin

    def again(self, request: Request, call: Call, headers: CallerHeaders) -> Call:
        """Give a call that was admitted, as this one that differs in values alone.

        It came from `KnownHeader.again`, so that what goes to Zoom is known.
        """
        method, target, account, selected, endpoint, *_, declared, origin = call
        fields = _sent(request, headers, origin, frame=None, mark=None)
        return Call(
            method, target, account, selected, endpoint, headers, fields, None, declared, origin
        )

    def _frame(self, request: Request, headers: CallerHeaders) -> Field | None:
        """What frames the body on its way to Zoom."""
        known = request.known
        if known is not None and known.shared is not None:
            return known.frame
        frame = framing(headers, http11=request.http11)
        if known is not None:
            known.frame = frame
        return frame

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
        endpoint = self._endpoint(method, target)
        # The absolute form depends on the Host field, too; and of paths in no template there are
        # too many, so that whoever names them keeps count.
        if len(path) <= _SHORT and raw.startswith(b"/") and endpoint.route != OTHER:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            bare = target if not mark else read_target(path, host)
            self._known[method, path] = bare, endpoint
        return target, endpoint

    def _read_for(
        self, other: str, method: str, raw: bytes, host: bytes | None
    ) -> tuple[Target, Endpoint]:
        """The same, for one of Zoom's hosts beside the API, by whose name the caller came."""
        target = read_target(raw, host)
        if target.host is None and target.emulated is None:
            target = target._replace(host=other)
        return target, self._endpoint(method, target)

    def _endpoint(self, method: str, target: Target) -> Endpoint:
        endpoint = self._endpoint_of(method, target.path)
        if target.host is not None and endpoint.route == OTHER:
            # All of a host's paths: each recording has one of its own.
            endpoint = self._endpoint_of(method, b"//" + target.host.encode("ascii"))
        return endpoint


def _sent(
    request: Request,
    headers: CallerHeaders,
    origin: Origin,
    frame: Field | None,
    mark: LoopMark | None,
) -> list[Field]:
    """All that goes to Zoom but the token."""
    known = request.known
    if known is not None and known.shared is not None and known.origin is origin:
        shared = known.shared
        return shared.varied(request.values) if request.values else shared
    fields = for_upstream(headers, origin.host, frame)
    if mark is not None:
        fields.append(mark.field)
    if known is None:
        return fields
    known.origin, known.shared = origin, Repeated(fields, known.spots)
    return known.shared


def body_of(request: Request, headers: CallerHeaders) -> CallerBody | None:
    """Give the call's body, None if there is none. It may be withheld: see `CallerBody`."""
    if not request.has_body:
        return None
    expects = headers.values(b"expect")
    awaits = request.http11 and any(value.lower() == _CONTINUE for value in expects)
    return CallerBody(request, awaits_continue=awaits)
