"""What connections cost in memory: those that are idle, and those whose callers read nothing.

`python benchmarks/connections.py [COUNT]` prints KiB for each, as the gateway's process has them.
"""

import asyncio
import contextlib
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.load import metric, session
from tests.support.processes import Gateway, gateway, simulator
from tests.support.raw_http import request

CALL = request()
DOWNLOAD = request(b"/v2/_sim/download?size=16000000&chunk=65536")


def resident(gate: Gateway) -> float:
    """KiB."""
    status = Path(f"/proc/{gate.child.pid}/status").read_text()
    return float(status.partition("VmRSS:")[2].split()[0])


async def settled(gate: Gateway) -> float:
    """What is resident when it grows no more."""
    last, now = 0.0, resident(gate)
    while now > last * 1.005:
        await asyncio.sleep(1.0)
        last, now = now, resident(gate)
    return now


async def connect(gate: Gateway) -> socket.socket:
    host, _, port = gate.url.removeprefix("http://").rpartition(":")
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    return sock


async def measure(what: str, data: bytes, count: int) -> None:
    loop = asyncio.get_running_loop()
    limits = {"ZOOM_GATEWAY_LIMITS__CALLS": str(count + 10), "ZOOM_GATEWAY_LOG__SAMPLE": "0"}
    async with simulator() as sim, gateway(sim, **limits) as gate, session() as client:
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(await connect(gate))
            await loop.sock_sendall(first, CALL)
            await loop.sock_recv(first, 65536)
            before = await settled(gate)
            for _ in range(count):
                sock = stack.enter_context(await connect(gate))
                if data:
                    await loop.sock_sendall(sock, data)
                if data is CALL:
                    await loop.sock_recv(sock, 65536)
            grown = await settled(gate) - before
            is_open = await metric(client, gate.admin, "zoom_gateway_open_connections")
            print(f"| {what} | {is_open['']:g} | {grown / count:.1f} |", flush=True)


async def main(count: int) -> None:
    print("| a connection that | open | KiB each |\n|---|---|---|")
    await measure("has said nothing yet", b"", count)
    await measure("waits for its next call", CALL, count)
    await measure("sends a header that does not end", CALL[:40], count)
    await measure("takes nothing of an answer of 16 MB", DOWNLOAD, count // 4)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
