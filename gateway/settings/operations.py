"""The table of Zoom's operations, from the package's data."""

from collections.abc import Iterator
from importlib.resources import files

from gateway.core.routes import Operation, each_operation


def load_operations() -> tuple[Operation, ...]:
    """Read `gateway/data/zoom_operations.tsv`: about 1,750 operations, some milliseconds."""
    return tuple(read_operations())


def read_operations() -> Iterator[Operation]:
    """As `load_operations`, one after the other, for who keeps none of them."""
    table = files("gateway") / "data" / "zoom_operations.tsv"
    with table.open(encoding="utf-8") as lines:
        yield from each_operation(lines)
