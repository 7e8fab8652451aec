"""Raw calls, right and wrong, and what must come of each: also seeds for whoever mutates them."""

from dataclasses import replace
from typing import Final

from tests.web.corpus import chunks, heads, lengths, sequences, targets
from tests.web.corpus.case import Case

_PARTS: Final = {
    "lengths": lengths.CASES,
    "chunks": chunks.CASES,
    "heads": heads.CASES,
    "targets": targets.CASES,
    "sequences": sequences.CASES,
}

CASES: Final[tuple[Case, ...]] = tuple(
    replace(case, name=f"{part}: {case.name}") for part, cases in _PARTS.items() for case in cases
)
