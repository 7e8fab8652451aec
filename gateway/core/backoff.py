"""How long to wait, and how often at most. Plain arithmetic; chance comes in as an argument."""

from dataclasses import dataclass
from typing import Final

from gateway.core.errors import NEEDS_OPERATOR, MintFailure

MINT_BASE: Final = 0.5
MINT_CAP: Final = 30.0
"""Seconds. The longest a healed token endpoint goes unnoticed, were no call to ask."""

OPERATOR_PAUSE: Final = 60.0
"""Seconds between mints that only an operator can cure: wrong credentials stay wrong."""

RETRY_AFTER_CAP: Final = 300.0
"""Seconds. A longer `Retry-After` is not believed: it would outlive the fault."""

HOLDOFF_STEPS: Final = (4.0, 8.0, 16.0, 32.0, 60.0)
"""Seconds without a mint after each further fresh token that Zoom refuses."""

FREE_FRESH_MINTS: Final = 2
"""So many fresh refusals in a row mint at once: one may be a race with another minter."""

JITTER_SHARE: Final = 0.2


def mint_pause(
    failure: MintFailure, failures: int, retry_after: float | None, jitter: float
) -> float:
    """Seconds before the next try, after `failures` (>= 1) in a row; `jitter` in [0, 1).

    ========  ===  ===  ===  ===  ===  ====  ====
    failures    1    2    3    4    5     6    7+
    seconds   0.5    1    2    4    8    16    30
    ========  ===  ===  ===  ===  ===  ====  ====

    plus up to 20 %; never less than Zoom's `Retry-After`, up to its cap.
    """
    if failure in NEEDS_OPERATOR or failure is MintFailure.INVALID_INDEX:
        base = OPERATOR_PAUSE
    else:
        base = min(MINT_CAP, MINT_BASE * 2 ** min(failures - 1, 16))
    return max(base * (1 + JITTER_SHARE * jitter), min(retry_after or 0.0, RETRY_AFTER_CAP))


def holdoff(fresh_mints: int, jitter: float) -> float:
    """Seconds that must pass after `fresh_mints` mints in a row were for nothing."""
    step = min(max(fresh_mints - FREE_FRESH_MINTS, 0), len(HOLDOFF_STEPS) - 1)
    return HOLDOFF_STEPS[step] * (1 + JITTER_SHARE * jitter)


LONGEST_HOLDOFF: Final = HOLDOFF_STEPS[-1] * (1 + JITTER_SHARE)
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A token bucket for mints that refusals cause: `level` as it stood at `at`."""

    BURST = 120.0
    """Mints at once: kills every second for two minutes are still cured at once."""
    PER_SECOND = 0.5
    """After the burst one every 2 s, so that two fleets that share an app do not duel."""

    level: float = BURST
    at: float = 0.0

    def filled(self, now: float) -> "Budget":
        gain = max(0.0, now - self.at) * self.PER_SECOND
        return Budget(min(self.BURST, self.level + gain), now)

    def drawn(self, now: float) -> "Budget":
        """One mint less. The caller looked at `turn` first."""
        filled = self.filled(now)
        return Budget(filled.level - 1.0, now)

    def turn(self, now: float, spare: float = 0.0) -> float:
        """When the next mint may happen, `now` or later, and leave `spare` mints behind."""
        missing = 1.0 + spare - self.filled(now).level
        return now if missing <= 0 else now + missing / self.PER_SECOND
