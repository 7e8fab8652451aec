"""Zoom as it is behind a hosts file that says otherwise: a process for a network of its own.

`python -m tests.support.zoom_behind CERTIFICATE KEY ADDRESS SIMULATOR NAMES...` serves TLS at
ADDRESS:443 before the simulator's port, and DNS at ADDRESS:53, which gives ADDRESS for NAMES.
"""

import asyncio
import ssl
import sys

from tests.support.egress import first_of, pipe
from tests.zoom.name_server import NameServer


async def main(certificate: str, key: str, address: str, simulator: int, names: list[str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = NameServer({(name, "A"): [address] for name in names})

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", simulator)
        try:
            await first_of(pipe(reader, to), pipe(there, writer))
        finally:
            to.transport.abort()
            writer.close()

    await asyncio.start_server(talk, address, 443, ssl=context)
    await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=(address, 53)
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    _, own, secret, place, port, *others = sys.argv
    asyncio.run(main(own, secret, place, int(port), others))
