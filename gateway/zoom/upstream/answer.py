"""What the caller of the upstream holds: a head, and a body that is still coming."""

from collections.abc import AsyncIterator

from gateway.core.errors import UpstreamBrokenError
from gateway.ports import Headers
from gateway.zoom.upstream.connection import Connection
from gateway.zoom.upstream.pool import Pool
from gateway.zoom.upstream.sender import BodySender


class HttpAnswer:
    """An answer, and the iterator over its body. For one reader; implements `UpstreamAnswer`."""

    __slots__ = ("_connection", "_ended", "_pool", "_sender", "headers", "reason", "status")

    def __init__(self, connection: Connection, pool: Pool, sender: BodySender | None) -> None:
        reader = connection.reader
        self.status = reader.status
        self.reason = reader.reason
        self.headers: Headers = reader.headers
        self._connection: Connection | None = connection
        self._pool = pool
        self._sender = sender
        self._ended = False

    def __repr__(self) -> str:
        return f"<HttpAnswer {self.status}>"

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it arrives; what came before a failure is given before it is raised.

        Raises UpstreamBrokenError if it ends before its end or goes on after it,
        UpstreamTimeoutError after silence, and whatever the request's body raised meanwhile,
        unchanged: then the answer is cut, too.
        """
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        connection = self._connection
        if self._ended:
            raise StopAsyncIteration
        if connection is None:
            raise UpstreamBrokenError("The answer was closed before its end")
        reader = connection.reader
        while not reader.chunks:
            if reader.complete:
                if reader.overrun:
                    raise UpstreamBrokenError("Zoom's answer goes on after its end")
                self._ended = True
                raise StopAsyncIteration
            if connection.failure is not None:
                raise connection.failure
            try:
                await connection.more()
            except BaseException:
                connection.fail(UpstreamBrokenError("The reading was cancelled"))
                raise
        return connection.take()

    def whole(self, limit: int) -> bytes | None:
        """See `UpstreamAnswer.whole`."""
        connection, sender = self._connection, self._sender
        if connection is None or self._ended or (sender is not None and not sender.done):
            return None
        reader = connection.reader
        if not reader.complete or reader.buffered > limit or reader.overrun:
            return None
        self._connection, self._ended = None, True
        body = reader.take()
        self._pool.release(connection)
        return body

    async def close(self, *, reuse: bool = True) -> None:
        """Give the connection back if both directions are complete, else cut it. Idempotent.

        Without `reuse` it is cut in any case.
        Returns when nobody uses the request's body any more.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not reuse:
            connection.cut()
        self._pool.release(connection)
        if self._sender is not None:
            await self._sender.stop()
