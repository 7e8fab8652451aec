"""Rules that pick calls by method and path."""

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class PathRule:
    """Matches a method (or `*`) and a path.

    `path` is an exact raw path, a path template (`/v2/meetings/{meetingId}`), or a prefix
    of either when it ends in `*`. Queries take no part.
    """

    method: str
    path: str

    def matches(self, method: str, path: str, template: str) -> bool:
        if self.method not in {"*", method}:
            return False
        if self.path.endswith("*"):
            prefix = self.path[:-1]
            return path.startswith(prefix) or template.startswith(prefix)
        return self.path in {path, template}


@lru_cache(maxsize=1024)
def parse_rule(text: str) -> PathRule:
    """Read `GET /v2/users` or, for every method, `/v2/users`. Raises ValueError."""
    method, space, path = text.partition(" ")
    if not space:
        method, path = "*", text
    if not path.startswith("/"):
        raise ValueError(f"{text!r} is no rule: use 'METHOD /path'")
    return PathRule(method.upper(), path)
