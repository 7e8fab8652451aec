"""What the table of operations says of one of them."""

from gateway.settings import read_operations


def scopes_needed(method: str, route: str) -> tuple[str, ...]:
    """The scopes of an operation, each of which is enough; none: nobody knows.

    It reads the table anew: it is asked seldom, and the table takes a MiB.
    """
    for one in read_operations():
        if one.path == route and one.method == method:
            return one.scopes
    return ()
