"""A name server of a test's own, on loopback."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Records = Mapping[tuple[str, str], Sequence[str]]
"""Addresses by name and kind: `("api.zoom.us", "A")`."""


class NameServer(asyncio.DatagramProtocol):
    """Answers by UDP and TCP on the same port, and counts what it is asked."""

    def __init__(self, records: Records, ttl: int = 60) -> None:
        self.records = dict(records)
        self.ttl = ttl
        self.asked: list[tuple[str, str, str]] = []
        """Name, kind and `udp` or `tcp`."""
        self.truncates = False
        self.silent: set[str] = set()
        """Kinds that get no answer."""
        self.rcode = dns.rcode.NOERROR
        self.port = 0
        self._transport: Any = None

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self._answer(data, "udp")
        if answer is not None:
            self._transport.sendto(answer, addr)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = self._answer(await reader.readexactly(size), "tcp") or b""
        writer.write(len(answer).to_bytes(2, "big") + answer)
        await writer.drain()
        writer.close()

    def _answer(self, data: bytes, way: str) -> bytes | None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, way))
        if kind in self.silent:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        answer.set_rcode(self.rcode)
        found = self.records.get((name, kind), ())
        if self.truncates and way == "udp":
            answer.flags |= dns.flags.TC
        elif found:
            answer.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", kind, *found))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()


@asynccontextmanager
async def name_server(records: Records, ttl: int = 60) -> Any:
    """Serve until the end of the block."""
    server = NameServer(records, ttl)
    loop = asyncio.get_running_loop()
    tcp = await asyncio.start_server(server.stream, "127.0.0.1", 0)
    server.port = tcp.sockets[0].getsockname()[1]
    udp, _ = await loop.create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", server.port)
    )
    try:
        yield server
    finally:
        udp.close()
        tcp.close()
        await tcp.wait_closed()
