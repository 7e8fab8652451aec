"""Throughput while answers are refusals that need a replay."""

import contextlib
import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from benchmarks.support import configs
from benchmarks.support.machine import cores, running
from benchmarks.support.peers import PROGRAMS
from benchmarks.support.results import Results
from benchmarks.support.stage import Serving, Stage, count, gateway
from benchmarks.support.wrk import USUAL, Measured, Shape, loaded

SHARE: Final = 0.10
SECONDS: Final = 1.0
"""Of a load: at some 70 kills a second a longer one would spend the budget."""
MANY: Final = Shape(connections=256)
"""A kill hits all calls under way: with more of them, as many refusals are of fewer kills."""
BURST: Final = 120
"""Mints that refusals may cause at once, before the budget of an account makes them wait."""


@contextlib.contextmanager
def refusing(stage: Stage, name: str) -> Iterator[tuple[Serving, str]]:
    """A gateway whose API refuses the share that it is told; and that API's URL."""
    program = (sys.executable, str(PROGRAMS / "refusing_api.py"))
    with running(program, cores().load) as api:
        url = api.says(r"(http://[\d.:]+)\s")

        def there(config: dict[str, Any]) -> None:
            config["upstream"] = {"api_url": url, "token_url": f"{url}/oauth/token"}
            config["accounts"]["default"]["apps"][0]["token_indexes"] = [0]

        with gateway(stage, name, there) as served:
            yield served, url


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)


class Refused(NamedTuple):
    """A load of which a share was refused, and by how many kills: each costs a mint."""

    measured: Measured
    share: float
    mints: float


def refused(served: Serving, api: str, share: float, shape: Shape = USUAL) -> Refused:
    """Load with a share of refusals.

    Raises FailedCallsError if a caller saw a refusal, RuntimeError if it was another share, or the
    mints were limited.
    """
    asked(f"{api}/_share/{share}")
    asked(f"{api}/_count")
    mints = count(served.admin, "zoom_gateway_token_mints_total")
    measured = loaded(served.process, served.url + configs.CALL, SECONDS, shape)
    mints = count(served.admin, "zoom_gateway_token_mints_total") - mints
    told = asked(f"{api}/_count")
    asked(f"{api}/_share/0")
    was = told["refusals"] / told["calls"]
    if mints >= BURST:
        raise RuntimeError(f"{mints:g} mints: their budget was measured, not their cost")
    if abs(was - share) > share / 10 + 2 * shape.connections / told["calls"]:
        raise RuntimeError(f"{was:.1%} were refused, not {share:.0%}")
    return Refused(measured, was, mints)


def replays(
    found: Results, stage: Stage, seconds: float, rounds: int, tell: Callable[[str], None]
) -> None:
    """None refused and 10 % refused, either first in turn; each round with a gateway of its own,
    as refusals draw on a budget of mints. Twice as many rounds, as each load is short.
    """
    del seconds
    for number in range(2 * rounds):
        tell(f"round {number + 1} of {2 * rounds}")
        for shape, words in ((USUAL, ""), (MANY, "many ")):
            with refusing(stage, f"refusing-{shape.connections}-{number}") as (served, api):
                refused(served, api, 0.0, shape)
                pair = (("unrefused", 0.0), ("refused", SHARE))
                for name, share in pair if number % 2 else reversed(pair):
                    seen = refused(served, api, share, shape)
                    kind = f"{words}{name}"
                    found.note(**{f"{kind} calls": seen.measured.per_second})
                    found.note(**{f"{kind} cpu": seen.measured.cpu})
                    found.note(**{f"{kind} share": seen.share, f"{kind} mints": seen.mints})
