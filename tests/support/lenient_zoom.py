"""A Zoom that reads paths as leniently as any server does, and remembers what it was sent.

Each reader below does what one kind of server is known to do with a path. They share no code
with the gateway: they are the oracle of what a target may be taken for.
"""

import asyncio
import posixpath
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from gateway.core.routes import Operation

Path = bytes
Reader = Callable[[Path], Path]


def decoded(path: Path, times: int = 1) -> Path:
    for _ in range(times):
        path = unquote_to_bytes(path)
    return path


def clean(path: Path) -> Path:
    """Dots resolved and slashes merged, as `path.Clean` of Go and `normpath` do."""
    return posixpath.normpath(b"/" + path.lstrip(b"/"))


def strict_dots(path: Path) -> Path:
    """RFC 3986: an empty segment is one, and `..` takes it away."""
    kept: list[bytes] = []
    for part in path.split(b"/")[1:]:
        if part == b"..":
            kept = kept[:-1]
        elif part != b".":
            kept.append(part)
    return b"/" + b"/".join(kept)


def no_parameters(path: Path) -> Path:
    return b"/".join(part.split(b";")[0] for part in path.split(b"/"))


def slashes(path: Path) -> Path:
    return path.replace(b"\\", b"/")


def windows(path: Path) -> Path:
    """Dots and blanks at a name's end are not part of it."""
    return b"/".join(
        part if part in (b".", b"..") else part.rstrip(b". ") for part in path.split(b"/")
    )


def short(path: Path) -> Path:
    """To C a string ends at a NUL."""
    return path.split(b"\0")[0]


def before_query(path: Path) -> Path:
    return re.split(rb"[?#]", path)[0]


def overlong(path: Path) -> Path:
    return path.replace(b"\xc0\xaf", b"/").replace(b"\xc0\xae", b".").replace(b"\xc1\x9c", b"\\")


def unsuffixed(path: Path) -> Path:
    """`/users.json` is `/users`, in a certain format; an address of e-mail is left alone."""
    return re.sub(rb"(/[^/.@]+)\.[^/@]+$", rb"\1", path)


def stable(path: Path) -> Path:
    """Everything, again and again."""
    for _ in range(8):
        path = before_query(slashes(overlong(decoded(path))))
        path = re.sub(rb"[\0\t\r\n]", b"", path)
        path = clean(b"/".join(p.split(b";")[0].strip() for p in path.split(b"/")))
    return path


READERS: dict[str, Reader] = {
    "as it is": lambda p: p,
    "nginx": lambda p: clean(decoded(p)),
    "apache": lambda p: strict_dots(decoded(p)),
    "jetty": lambda p: decoded(strict_dots(no_parameters(p))),
    "tomcat": lambda p: strict_dots(slashes(decoded(no_parameters(p)))),
    "tomcat, merged": lambda p: clean(slashes(decoded(no_parameters(p)))),
    "old spring": lambda p: clean(no_parameters(decoded(p))),
    "iis": lambda p: windows(clean(slashes(decoded(p, 2)))),
    "browser": lambda p: strict_dots(slashes(re.sub(rb"(?i)%2e", b".", p))),
    "behind two proxies": lambda p: clean(no_parameters(clean(decoded(p, 2)))),
    "behind three proxies": lambda p: clean(decoded(clean(decoded(clean(decoded(p)))))),
    "c": lambda p: clean(short(decoded(p))),
    "c, decoded twice": lambda p: clean(short(decoded(p, 2))),
    "rewritten": lambda p: clean(before_query(decoded(p))),
    "overlong": lambda p: clean(overlong(decoded(p))),
    "stripped": lambda p: b"/".join(x.strip() for x in decoded(p).split(b"/")),
    "network path": lambda p: re.sub(rb"^//[^/]*", b"", decoded(p)),
    "rails": lambda p: unsuffixed(clean(decoded(p))),
    "everything": stable,
}


class Router:
    """Finds the operations that a target may be taken for, in any case of letters."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._by_length: dict[int, list[tuple[list[bytes], Operation]]] = {}
        for one in operations:
            steps = one.path.lower().encode().split(b"/")[1:]
            self._by_length.setdefault(len(steps), []).append((steps, one))

    def taken_for(self, method: str, target: bytes) -> dict[str, Operation]:
        """By reader, the operation that it comes to; where literals and parameters compete, the
        literal wins.
        """
        found = {}
        for name, reader in READERS.items():
            one = self._route(method, reader(target.split(b"?")[0]))
            if one is not None:
                found[name] = one
        return found

    def _route(self, method: str, path: bytes) -> Operation | None:
        method = "GET" if method == "HEAD" else method
        parts = [part.lower() for part in path.split(b"/")[1:]]
        if parts and not parts[-1]:
            parts.pop()
        fitting = [
            (steps, one)
            for steps, one in self._by_length.get(len(parts), ())
            if one.method == method
            and all(
                (part if step.startswith(b"{") else part == step)
                for step, part in zip(steps, parts, strict=True)
            )
        ]
        if not fitting:
            return None
        return min(fitting, key=lambda pair: [step.startswith(b"{") for step in pair[0]])[1]


@dataclass
class LenientZoom:
    """What it was sent: method and raw target."""

    url: str = ""
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, _ = head.split(b"\r\n")[0].split(b" ")
                self.sent.append((method.decode(), target))
                self.heads.append(head)
                if length := re.search(rb"(?i)content-length: (\d+)", head):
                    await reader.readexactly(int(length[1]))
                body = b"" if method == b"HEAD" else b"{}"
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 2\r\n\r\n" + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def lenient_zoom() -> AsyncIterator[LenientZoom]:
    zoom = LenientZoom()
    server = await asyncio.start_server(zoom.answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    zoom.url = f"http://{host}:{port}"
    try:
        yield zoom
    finally:
        server.close()
        await server.wait_closed()
