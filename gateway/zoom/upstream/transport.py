"""`HttpUpstream`: calls to one origin, over connections that are used again and again."""

from gateway.core.egress import EgressProxy
from gateway.core.errors import UpstreamBrokenError, UpstreamConnectError, UpstreamStaleError
from gateway.outbox import Outbox
from gateway.ports import UpstreamRequest
from gateway.zoom.names import Names
from gateway.zoom.own import OwnListeners
from gateway.zoom.tls import Trust
from gateway.zoom.upstream.answer import HttpAnswer
from gateway.zoom.upstream.connection import Connection
from gateway.zoom.upstream.dial import dial, parse_origin
from gateway.zoom.upstream.head import IDEMPOTENT, encode_head
from gateway.zoom.upstream.pool import IDLE_LIMIT, MAX_IDLE, Pool
from gateway.zoom.upstream.sender import BodySender


class HttpUpstream:
    """The API, over HTTP/1.1. Implements `Upstream`; for one event loop.

    `api_url` is scheme, host and port; times are in seconds. `tls` gives the context for a new
    connection, in place of the machine's own; `proxy` is on the way there, if it is given. `names`
    look up hosts; whoever shows the certificate of `own` is no upstream.
    `idle_timeout` counts while it is Zoom's turn only: not while our caller owes the rest of the
    body, or reads slowly.
    Raises ConfigurationError for a URL that cannot be used.
    """

    def __init__(  # noqa: PLR0913  # what can be left out is given by name
        self,
        api_url: str,
        *,
        connect_timeout: float = 3.0,
        idle_timeout: float = 60.0,
        tls: Trust | None = None,
        proxy: EgressProxy | None = None,
        names: Names | None = None,
        own: OwnListeners | None = None,
        max_idle: int = MAX_IDLE,
        idle_limit: float = IDLE_LIMIT,
    ) -> None:
        self._origin = parse_origin(api_url, tls)
        self._proxy = proxy
        self._names = names or Names()
        self._own = own
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._outbox = Outbox()
        self._pool = Pool(max_idle=max_idle, idle_limit=idle_limit)

    def __repr__(self) -> str:
        return f"<HttpUpstream {self._origin}, {self.idle} idle, {self.in_use} in use>"

    @property
    def host(self) -> bytes:
        """What belongs into `Host`: the port is named only where it is not the scheme's own."""
        return self._origin.authority

    @property
    def idle(self) -> int:
        """Connections that wait for a call."""
        return self._pool.idle

    @property
    def in_use(self) -> int:
        """Connections whose answer was not closed yet."""
        return self._pool.in_use

    async def send(self, request: UpstreamRequest) -> HttpAnswer:
        """See `Upstream.send`. Raises ValueError for a request that cannot be written down."""
        head, length = encode_head(request)
        method, body, fresh = request.method, request.body, request.fresh
        pool = self._pool
        while True:
            connection = None if fresh else pool.take()
            if connection is None:
                connection = await self._dial()
            connection.begin(head_only=method == "HEAD")
            sender: BodySender | None = None
            if body is None:
                # A call that is alone has nothing to leave with.
                (connection.post if pool.in_use > 1 else connection.write)(head)
                connection.sent = True
            else:
                sender = BodySender(connection, head, body, length)
            reader = connection.reader
            try:
                while not reader.head_complete:
                    if connection.failure is not None:
                        raise connection.failure  # noqa: TRY301  # the clean-up below is for it, too
                    await connection.more()
            except BaseException as error:
                pool.release(connection)
                if sender is not None:
                    await sender.stop()
                if not _repeatable(request, connection, sender, error):
                    raise
                fresh = True
            else:
                return HttpAnswer(connection, pool, sender)

    async def close(self) -> None:
        """Close every connection, the ones in use too, and return when that is done."""
        await self._pool.close()

    async def _dial(self) -> Connection:
        connection = await dial(
            self._origin,
            lambda sock: Connection(sock, self._idle_timeout, self._pool.lost, self._outbox),
            self._connect_timeout,
            self._proxy,
            self._names,
            self._own,
        )
        if self._pool.closed:
            connection.cut()
            raise UpstreamConnectError("The gateway shuts down")
        self._pool.add(connection)
        return connection


def _stale(connection: Connection, error: BaseException) -> bool:
    """Whether the peer closed a kept connection before it said anything about this call."""
    broken = isinstance(error, UpstreamBrokenError)
    return broken and connection.reused and not connection.reader.started


def _repeatable(
    request: UpstreamRequest,
    connection: Connection,
    sender: BodySender | None,
    error: BaseException,
) -> bool:
    """Whether the call may be sent again: Zoom may have acted on bytes that were written.

    Raises UpstreamStaleError if it may, but not with what is left of its body.
    """
    if not _stale(connection, error):
        return False
    harmless = request.method in IDEMPOTENT
    if sender is None:
        return harmless
    if sender.asked and harmless:
        raise UpstreamStaleError(str(error)) from error
    return not sender.asked
