"""The API's operations: which path and method belongs to which handler."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.sim.answers import Answer
from gateway.sim.exchange import Body, Exchange
from gateway.sim.ratelimit import Category
from gateway.sim.state import SimState
from gateway.sim.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation works on. `segments` are the raw path parameters, in order."""

    state: SimState
    exchange: Exchange
    body: Body
    world: World
    segments: tuple[str, ...]

    @property
    def query(self) -> dict[str, str]:
        return self.exchange.query

    def parameter(self, position: int = 0) -> str:
        """Return a decoded path parameter."""
        return unquote(self.segments[position])


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API; `per_user` marks meeting creates and updates."""

    method: str
    template: str
    category: Category
    run: Callable[[Call], Answer]
    per_user: bool = False


class Operations:
    """Finds operations by the raw path: nothing is decoded or merged before it is split."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self._by_shape: dict[tuple[str, int], list[tuple[list[str], Operation]]] = {}
        for operation in operations:
            parts = operation.template.split("/")
            shape = (operation.method, len(parts))
            self._by_shape.setdefault(shape, []).append((parts, operation))

    def find(self, method: str, path: str) -> tuple[Operation, tuple[str, ...]] | None:
        """Return the operation and its raw path parameters; HEAD finds what GET does.

        One slash at the end is accepted, as some client libraries send it.
        """
        parts = path.removesuffix("/").split("/")
        wanted = "GET" if method == "HEAD" else method
        for template, operation in self._by_shape.get((wanted, len(parts)), ()):
            pairs = list(zip(template, parts, strict=True))
            if all(fixed == part or (fixed[:1] == "{" and part) for fixed, part in pairs):
                return operation, tuple(part for fixed, part in pairs if fixed[:1] == "{")
        return None
