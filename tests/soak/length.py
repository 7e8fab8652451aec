"""How long these tests are, and where their chance begins."""

import os
import secrets
from typing import Final, TypeVar

T = TypeVar("T")

LENGTH: Final = "SOAK"
"""The environment variable: `short`, or `long`."""

SECONDS: Final = "SOAK_SECONDS"
"""The environment variable for a soak of another length."""

SEED: Final = "SOAK_SEED"
"""The environment variable that makes a run choose as another one did: its number."""


def is_long() -> bool:
    """Raises ValueError for any other word: a run that was meant to be long must not be short."""
    said = os.environ.get(LENGTH, "short")
    if said not in {"short", "long"}:
        raise ValueError(f"{LENGTH} is 'short' or 'long', not {said!r}")
    return said == "long"


def pick(short: T, long: T) -> T:
    return long if is_long() else short


def soak_seconds() -> float:
    """How long the soak itself lasts: as the environment says, or what goes with the length."""
    said = os.environ.get(SECONDS)
    return float(said) if said else pick(20.0, 1800.0)


def fresh_seed() -> int:
    """The seed that the environment gives, or a new one."""
    said = os.environ.get(SEED)
    return int(said) if said else secrets.randbits(32)
