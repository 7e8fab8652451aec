"""No byte of one call is read as another: the corpus, sent every way it can arrive."""

import pytest

from tests.web.corpus import CASES
from tests.web.corpus.case import Case
from tests.web.smuggling import AFTER, arena


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_call_is_what_its_framing_says_and_nothing_else(case: Case) -> None:
    wire = case.wire if case.eof else case.wire + AFTER
    async with arena() as field:
        await field.play(case, [wire])
        await field.play(case, [wire], before=True)
        if len(wire) < 1_000:
            await field.play(case, [wire[at : at + 1] for at in range(len(wire))])
