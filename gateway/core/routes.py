"""From a raw request target to the operation's path template.

Labels and keys must stay few: a raw path holds ids, so it never becomes one. What matches a
template of the operation table is known by that template, everything else by a short hash.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from gateway.core.endpoint import Endpoint
from gateway.core.shapes import Shape, Shapes

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods that are named as they are; all others are `other`."""

OTHER: Final = "other"
"""The route of a path in no template, and the name of an unknown method."""

HASHED_LIMIT: Final = 1024
"""Endpoints outside the table that are kept: a caller who walks through random paths must
not fill the memory."""

SHAPES: Final = 2048
"""Shapes of paths whose endpoint is kept; Zoom's operations have some hundred."""

_COLUMNS: Final = 6


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of Zoom's API: a line of `data/zoom_operations.tsv`."""

    path: str
    """The template, with its base path: `/v2/users/{userId}`."""
    method: str
    product: str
    operation_id: str
    rate_category: str | None
    """`light`, `medium`, `heavy` or `resource-intensive`; None: Zoom does not say."""
    scopes: tuple[str, ...]
    """The granular scopes, each of which is enough."""


def parse_operations(text: str) -> tuple[Operation, ...]:
    """Read the table: tab-separated, the first line its head. Raises ValueError for a bad line."""
    return tuple(each_operation(text.splitlines()))


def each_operation(lines: Iterable[str]) -> Iterator[Operation]:
    """As `parse_operations`, one after the other: all of them take a MiB."""
    for number, line in enumerate(lines, start=1):
        if number == 1:
            continue
        cells = line.rstrip("\n").split("\t")
        if len(cells) != _COLUMNS or not cells[0].startswith("/"):
            raise ValueError(f"line {number}: not an operation")
        path, method, product, operation_id, category, scopes = cells
        yield Operation(
            path, method, product, operation_id, category or None, tuple(scopes.split())
        )


@dataclass(slots=True)
class _Node:
    """A place in the tree of one method's templates; its children are one segment further."""

    literals: "dict[str, _Node]"
    parameter: "_Node | None" = None
    template: str | None = None

    def child(self, segment: str) -> "_Node":
        """The child for a template's segment, made if need be."""
        if not segment.startswith("{"):
            found = self.literals.get(segment)
            if found is not None:
                return found
            if self.literals is _NO_LITERALS:
                self.literals = {}
            found = self.literals[segment] = _Node(_NO_LITERALS)
            return found
        if self.parameter is None:
            self.parameter = _Node(_NO_LITERALS)
        return self.parameter

    def find(self, segments: list[str], depth: int = 0) -> str | None:
        """The template that fits, literals first, going back where that leads nowhere.

        Every node of the tree is visited at most once, so that no path makes it slow.
        """
        if depth == len(segments):
            return self.template
        segment = segments[depth]
        literal = self.literals.get(segment)
        if literal is not None:
            found = literal.find(segments, depth + 1)
            if found is not None:
                return found
        if self.parameter is None or not segment:
            return None
        return self.parameter.find(segments, depth + 1)


_NO_LITERALS: Final[dict[str, _Node]] = {}
"""Stays empty: most nodes have no children, and thousands of empty dictionaries take memory."""


class RouteTable:
    """The templates of the operations, a tree for each method."""

    def __init__(self, operations: Iterable[Operation], *, folded: bool = False) -> None:
        """`folded`: all of them in lower case."""
        self._roots: dict[str, _Node] = {}
        self.words: set[str] = set()
        """All segments of templates that are no parameters."""
        for operation in operations:
            path = operation.path.lower() if folded else operation.path
            node = self._roots.get(operation.method)
            if node is None:
                node = self._roots[operation.method] = _Node(_NO_LITERALS)
            for segment in path[1:].split("/"):
                node = node.child(segment)
                if not segment.startswith("{"):
                    self.words.add(segment)
            node.template = path
        if "GET" in self._roots:
            self._roots.setdefault("HEAD", self._roots["GET"])

    def match(self, method: str, target: bytes | str) -> str | None:
        """The template of `method` that the path of a raw request target fits, or None.

        Nothing is decoded, so an encoded slash stays inside its segment. A literal segment
        beats a parameter; a parameter stands for one segment that is not empty. One slash
        at the end is overlooked: clients send `/v2/meetings/?page_size=30`. HEAD has the
        templates of GET.
        """
        path = _path(target)
        if not path.startswith("/"):
            return None
        return self.find(method, path[1:].removesuffix("/").split("/"))

    def find(self, method: str, segments: list[str]) -> str | None:
        """As `match`, for a path that was split already."""
        root = self._roots.get(method)
        return None if root is None else root.find(segments)


class Endpoints:
    """Names the endpoint of a call. Not for use by several threads at once."""

    def __init__(self, table: RouteTable, limit: int = HASHED_LIMIT) -> None:
        self._table = table
        self._limit = limit
        self._hashed: OrderedDict[str, Endpoint] = OrderedDict()
        self.shapes = Shapes()
        self.shapes.add(table.words)
        self._known: dict[tuple[str, Shape], Endpoint] = {}
        """What has a route, by method and shape of the path."""

    def of_path(self, method: str, path: bytes) -> Endpoint:
        """As `endpoint`, of a path without query; cheaper where the path is plain."""
        shape = self.shapes.of(path)
        if shape is None:
            return self.endpoint(method, path)
        known = self._known.get((method, shape))
        if known is None:
            known = self.endpoint(method, path)
            if known.route != OTHER:
                if len(self._known) >= SHAPES:
                    self._known.clear()
                self._known[method, shape] = known
        return known

    def endpoint(self, method: str, target: bytes | str) -> Endpoint:
        """The endpoint of a call with this method and raw request target."""
        upper = method.upper()
        name = upper if upper in METHODS else OTHER
        path = _path(target)
        route = self._table.match(name, path)
        if route is not None:
            return Endpoint(name, route, f"{name} {route}")
        # surrogatepass: any str has a hash, also one with bytes that are no text.
        content = f"{upper} {path}".encode("utf-8", "surrogatepass")
        return self._hashed_endpoint(name, f"{name} #{blake2b(content, digest_size=8).hexdigest()}")

    def _hashed_endpoint(self, name: str, key: str) -> Endpoint:
        endpoint = self._hashed.pop(key, None) or Endpoint(name, OTHER, key)
        self._hashed[key] = endpoint
        if len(self._hashed) > self._limit:
            self._hashed.popitem(last=False)
        return endpoint

    def __contains__(self, key: str) -> bool:
        """Whether this key, of a path in no template, is among those kept."""
        return key in self._hashed

    def __len__(self) -> int:
        """How many keys of paths in no template are kept; never above the limit."""
        return len(self._hashed)


def _path(target: bytes | str) -> str:
    """What stands before the query or fragment, undecoded."""
    text = target if isinstance(target, str) else target.decode("utf-8", "surrogateescape")
    return text.partition("?")[0].partition("#")[0]
