"""What is examined, and what one check learned that another needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.settings import Settings


@dataclass(slots=True)
class Case:
    """One call of the command."""

    settings: Settings
    config: Path | None
    environ: Mapping[str, str]
    reached: dict[str, bool] = field(default_factory=dict)
    """By key of a way: whether an answer came."""
    scopes: dict[str, frozenset[str]] = field(default_factory=dict)
    """By account: what its tokens allow, as far as some were minted."""
    live: list[str] = field(default_factory=list)
    """Accounts whose token in the store is in use."""
