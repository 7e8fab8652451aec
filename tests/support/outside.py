"""A process as it is seen from outside: memory, descriptors, threads, connections."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_KIB: Final = 1024
_LISTEN: Final = "0A"


@dataclass(frozen=True)
class Sight:
    """One look. `rss` in bytes; `descriptors` by what they are."""

    rss: int
    threads: int
    descriptors: Counter[str]
    connections: Counter[tuple[int, int]]
    """TCP sockets that do not listen, by local and remote port."""
    children: int = 0

    @property
    def open(self) -> int:
        return self.descriptors.total()

    @property
    def deleted(self) -> int:
        """Files that have no name any more: bodies that are kept."""
        return self.descriptors["deleted"]

    def at(self, local: int) -> int:
        """Connections of those who call this port."""
        return sum(count for (port, _), count in self.connections.items() if port == local)

    def to(self, remote: int) -> int:
        """Connections to that port."""
        return sum(count for (_, port), count in self.connections.items() if port == remote)

    def __add__(self, other: "Sight") -> "Sight":
        return Sight(
            self.rss + other.rss,
            self.threads + other.threads,
            self.descriptors + other.descriptors,
            self.connections + other.connections,
            self.children + other.children,
        )

    @classmethod
    def of(cls, pid: int, *, network: bool = True) -> Self:
        """Look at a process; at its connections only with `network`. Raises OSError if gone."""
        status = Path(f"/proc/{pid}/status").read_text()
        sockets = _sockets(pid) if network else {}
        kinds: Counter[str] = Counter()
        connections: Counter[tuple[int, int]] = Counter()
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(entry.readlink())
            except FileNotFoundError:  # closed meanwhile
                continue
            kinds[_kind(target)] += 1
            if target in sockets:
                connections[sockets[target]] += 1
        return cls(
            _number(status, "VmRSS") * _KIB, _number(status, "Threads"), kinds, connections, 1
        )


def family(pid: int, *, network: bool = True) -> Sight:
    """A process and its children, as one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    total = Sight.of(pid, network=network)
    for child in children.split():
        total += Sight.of(int(child), network=network)
    return total


def _kind(target: str) -> str:
    if target.endswith("(deleted)"):
        return "deleted"
    return "file" if target.startswith("/") else target.partition(":")[0]


def _number(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    assert found, name
    return int(found[1])


def _sockets(pid: int) -> dict[str, tuple[int, int]]:
    """The TCP sockets of the process's network, as its descriptors name them."""
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] != _LISTEN:
                found[f"socket:[{words[9]}]"] = (_port(words[1]), _port(words[2]))
    return found


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def slope(points: Collection[tuple[float, float]]) -> float:
    """How much y grows per x, by least squares."""
    count = len(points)
    assert count > 1
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
