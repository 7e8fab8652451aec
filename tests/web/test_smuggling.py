"""No byte of one call is read as another: the corpus, sent every way it can arrive."""

import pytest

from tests.web.corpus import CASES
from tests.web.corpus.case import Case
from tests.web.smuggling import arena, in_packets


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_call_is_what_its_framing_says_and_nothing_else(case: Case) -> None:
    packets = in_packets(case)
    wire = b"".join(packets)
    async with arena() as field:
        await field.play(case, packets)
        await field.play(case, packets, before=True)
        if len(wire) < 1_000:
            await field.play(case, [wire[at : at + 1] for at in range(len(wire))])
