"""What is examined, and what one check learned that another needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.settings import Settings
from gateway.settings.wanted import Wanted


@dataclass(slots=True)
class Case:
    """One call of the command."""

    settings: Settings
    config: Path | None
    environ: Mapping[str, str]
    wanted: Wanted | None = None
    """What callers are to use, if that was asked about."""
    reached: dict[str, bool] = field(default_factory=dict)
    """By key of a way: whether an answer came."""
    scopes: dict[str, frozenset[str]] = field(default_factory=dict)
    """By account: what its tokens allow, as far as some were minted."""
    stored: dict[str, frozenset[str]] = field(default_factory=dict)
    """By account: what its tokens in the store allow."""
    live: list[str] = field(default_factory=list)
    """Accounts whose token in the store is in use."""
