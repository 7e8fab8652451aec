import cProfile
from pathlib import Path

import pytest

from benchmarks.support.machine import ROOT
from benchmarks.support.parts import PARTS, REST, part_of, profile
from gateway.core.headers import read_caller


@pytest.mark.parametrize(
    ("file", "part"),
    [
        (ROOT / "gateway/web/receiver.py", "the call is received"),
        (ROOT / "gateway/web/wire.py", "the connection, its limits and writes"),
        (ROOT / "gateway/core/verdict.py", "the answer"),
        (ROOT / "gateway/core/policy.py", "it is admitted: target, fields, rules"),
        ("/x/site-packages/aiohttp/web_protocol.py", "the call is received"),
        ("/x/site-packages/yarl/_url.py", REST),
        ("/usr/lib/python3.11/asyncio/timeouts.py", REST),
        ("~", REST),
    ],
)
def test_code_belongs_to_the_part_whose_name_fits_best(file: Path | str, part: str) -> None:
    assert part_of(str(file)) == part


def test_every_name_of_a_part_is_that_of_a_module() -> None:
    for start in (start for starts in PARTS.values() for start in starts if start != "aiohttp"):
        assert list((ROOT / "gateway").glob(f"{start.rstrip('/')}*")), start


def test_what_is_written_in_c_counts_where_it_is_called(tmp_path: Path) -> None:
    running = cProfile.Profile()
    running.enable()
    for _ in range(10):
        read_caller([(b"Accept", b"*/*"), (b"Host", b"localhost")])
    running.disable()
    running.dump_stats(tmp_path / "profile")
    parts, functions = profile(tmp_path / "profile", served=10)
    assert not [name for name, _ in functions if "'append'" in name or "'join'" in name]
    admitted = parts["it is admitted: target, fields, rules"]
    named = dict(functions)["gateway/core/headers.py: read_caller"]
    assert named.calls > 2, "itself, and what it calls"
    assert 0 < named.seconds <= admitted.seconds
