"""Throughput while answers are refusals that need a replay."""

import contextlib
import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, Final

from benchmarks.support import configs
from benchmarks.support.machine import cores, running
from benchmarks.support.peers import PROGRAMS
from benchmarks.support.results import Results
from benchmarks.support.stage import Serving, Stage, count, gateway
from benchmarks.support.wrk import USUAL, Measured, loaded

SHARE: Final = 0.10
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


def refused(served: Serving, api: str, share: float, seconds: float) -> tuple[Measured, float]:
    """Load with a share of refusals; give what was measured, and what share it was.

    Raises FailedCallsError if a caller saw a refusal, RuntimeError if it was another share, or the
    mints were limited.
    """
    asked(f"{api}/_share/{share}")
    asked(f"{api}/_count")
    mints = count(served.admin, "zoom_gateway_token_mints_total")
    measured = loaded(served.process, served.url + configs.CALL, seconds)
    mints = count(served.admin, "zoom_gateway_token_mints_total") - mints
    told = asked(f"{api}/_count")
    asked(f"{api}/_share/0")
    was = told["refusals"] / told["calls"]
    if mints >= BURST:
        raise RuntimeError(f"{mints:g} mints: their budget was measured, not their cost")
    if abs(was - share) > share / 10 + 2 * USUAL.connections / told["calls"]:
        raise RuntimeError(f"{was:.1%} were refused, not {share:.0%}")
    return measured, was


def replays(
    found: Results, stage: Stage, seconds: float, rounds: int, tell: Callable[[str], None]
) -> None:
    """None refused and 10 % refused, either first in turn; each round with a gateway of its own,
    as refusals draw on a budget of mints.
    """
    for number in range(rounds):
        tell(f"round {number + 1} of {rounds}")
        with refusing(stage, f"refusing-{number}") as (served, api):
            refused(served, api, 0.0, 2.0)
            pair = (("unrefused", 0.0), ("refused", SHARE))
            for name, share in pair if number % 2 else reversed(pair):
                measured, was = refused(served, api, share, min(seconds, 2.0))
                found.note(**{f"{name} calls": measured.per_second, f"{name} share": was})
                found.note(**{f"{name} cpu": measured.cpu})
