"""Ids of calls that bring none."""

import random
from typing import Final

_CHANCE: Final = random.Random()  # noqa: S311  for ids; seeded by the system in each process


def fresh_id() -> str:
    """An id that nobody else has. It is no secret, and is not kept as one."""
    return f"{_CHANCE.getrandbits(128):032x}"
