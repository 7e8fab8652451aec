"""The table of Zoom's operations, from the package's data."""

from importlib.resources import files

from gateway.core.routes import Operation, parse_operations


def load_operations() -> tuple[Operation, ...]:
    """Read `gateway/data/zoom_operations.tsv`: about 1,750 operations, some milliseconds."""
    return parse_operations((files("gateway") / "data" / "zoom_operations.tsv").read_text("utf-8"))
