from gateway.core.errors import MintFailure
from gateway.core.events import ForeignMint, Minted, MintFailed, RefusalCause, Refused, StoreUp
from gateway.core.token import Cause
from gateway.observe.totals import Totals
from gateway.reports import CallReport, ReplayOutcome
from tests.observe.charts import A0


def call(outcome: ReplayOutcome | None = None) -> CallReport:
    return CallReport("id", "127.0.0.1", "default", "GET", "other", 200, outcome=outcome)


def test_nothing_happened() -> None:
    assert Totals().totals() == {}


def test_everything_is_counted_under_its_account() -> None:
    totals = Totals()
    totals.call_began("default")
    totals.call_ended(call())
    for outcome in ReplayOutcome:
        totals.call_ended(call(outcome))
    for event in (
        Refused(1, "GET /x", RefusalCause.TOKEN),
        Minted(A0, Cause.START, 1, 3600.0, previous_secret=False, took=0.1),
        MintFailed(A0, Cause.START, MintFailure.TIMEOUT, "late", 1.0),
        ForeignMint(1, A0),
        StoreUp(),
    ):
        totals.token_event("default", event)
    assert totals.totals() == {
        "default": {
            "calls": 5,
            "refusals": 1,
            "recovered": 1,
            "passed_on": 3,
            "mints": 1,
            "mint_failures": 1,
            "foreign_mints": 1,
        }
    }
