from gateway.core.events import StoreUp, TokenEvent
from gateway.observe.fanout import Fanout
from gateway.reports import CallReport

REPORT = CallReport("id", "127.0.0.1", "default", "GET", "other")


class Keeps:
    def __init__(self) -> None:
        self.told: list[object] = []

    def call_began(self, account: str) -> None:
        self.told.append(account)

    def call_ended(self, report: CallReport) -> None:
        self.told.append(report)

    def token_event(self, account: str, event: TokenEvent) -> None:
        self.told.append((account, event))


class Fails:
    def call_began(self, account: str) -> None:
        raise ValueError(account)

    def call_ended(self, report: CallReport) -> None:
        raise ValueError(report)

    def token_event(self, account: str, event: TokenEvent) -> None:
        raise ValueError(account, event)


def tell(fanout: Fanout) -> None:
    fanout.call_began("default")
    fanout.call_ended(REPORT)
    fanout.token_event("default", StoreUp())


def test_all_are_told_whatever_one_does() -> None:
    first, last = Keeps(), Keeps()
    defects: list[Exception] = []
    tell(Fanout(first, Fails(), last, defect=defects.append))
    assert first.told == last.told == ["default", REPORT, ("default", StoreUp())]
    assert [type(one) for one in defects] == [ValueError] * 3


def test_a_defect_that_cannot_be_told_stays_here() -> None:
    def deaf(problem: Exception) -> None:
        raise problem

    tell(Fanout(Fails(), defect=deaf))
