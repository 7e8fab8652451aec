"""Rate limits and errors, account by account: what the status page and the metrics are told."""

import json

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from gateway.core.rate_use import STEP, Errors
from gateway.core.ratelimit import Kind, Limited
from gateway.observe.rate_metrics import RateMetrics
from gateway.observe.rate_watch import RateWatch
from gateway.reports import CallReport, ReplayOutcome, RetryOutcome, Throttling
from tests.observe.charts import healthy


class World:
    """Two accounts, and a clock."""

    def __init__(self) -> None:
        self.now = 600_000.0
        self.turned: list[tuple[str, Errors | None]] = []
        self.watch = RateWatch(
            ["default", "sales"],
            lambda: self.now,
            lambda: 1_800_000_000.0 + self.now - 600_000.0,
            lambda account, found: self.turned.append((account, found)),
        )

    def call(self, status: int = 200, account: str = "default", **changes: object) -> None:
        report = CallReport("id", "10.1.4.17", account, "GET", "other", status)
        report.upstream_duration = 0.1
        report.category = "light"
        for name, value in changes.items():
            setattr(report, name, value)
        self.watch.call_ended(report)

    def told(self, account: str = "default") -> dict[str, object]:
        part: dict[str, object] = self.watch.of(account)["rate_limits"]
        assert json.loads(json.dumps(part)) == part
        return part

    def errors(self) -> tuple[int, int]:
        (uses,) = (use for name, use in self.watch.uses() if name == "default")
        return uses.requests, uses.errors


@pytest.fixture
def world() -> World:
    return World()


def limited(*kinds: Kind, retries: int = 0) -> Throttling:
    return Throttling([Limited("medium", kind, None) for kind in kinds], retries)


class TestWhatCounts:
    def test_every_answer_of_zoom(self, world: World) -> None:
        for status in (200, 204, 404, 429, 500):
            world.call(status)
        assert world.errors() == (5, 3)

    def test_also_those_that_no_caller_saw(self, world: World) -> None:
        world.call(replays=1, outcome=ReplayOutcome.RECOVERED)
        assert world.errors() == (2, 1)
        world.call(throttling=limited(Kind.PER_SECOND, Kind.PER_SECOND, retries=2))
        assert world.errors() == (5, 3)
        world.call(429, throttling=limited(Kind.PER_SECOND, Kind.PER_SECOND, retries=1))
        assert world.errors() == (7, 5)

    def test_but_nothing_that_the_gateway_said_itself(self, world: World) -> None:
        world.call(503, error="token_unavailable", upstream_duration=0.0)
        world.call(200, upstream_duration=0.0)
        assert list(world.watch.uses()) == []
        world.call(502, error="upstream_broken")
        world.call(499)
        assert world.errors() == (2, 0)

    def test_nor_accounts_that_are_not_configured(self, world: World) -> None:
        world.call(account="unknown")
        assert list(world.watch.uses()) == []
        assert world.told("unknown")["used"] == []


class TestTheErrorRatio:
    def test_is_told_when_it_gets_high_and_when_it_is_over(self, world: World) -> None:
        for _ in range(60):
            world.call(500)
        assert world.turned == []
        world.now += STEP
        world.call(500)
        assert world.turned == [("default", Errors(10, 61, 61))]
        world.call(500)
        charts = world.watch.marked({"default": healthy(), "sales": healthy()})
        assert charts["default"].errors == Errors(10, 62, 62)
        assert charts["sales"].errors is None
        assert world.told()["errors_high"] is True
        assert len(world.turned) == 1
        world.now += 61 * STEP
        assert world.watch.marked({"default": healthy()})["default"].errors is None
        assert world.turned[1:] == [("default", None)]

    def test_is_known_at_once_by_who_looks(self, world: World) -> None:
        for _ in range(60):
            world.call(500)
        assert world.watch.marked({"default": healthy()})["default"].errors
        assert len(world.turned) == 1

    def test_is_shown_for_both_windows(self, world: World) -> None:
        for status in (200, 200, 500):
            world.call(status)
        assert world.told()["errors"] == [
            {"minutes": minutes, "requests": 3, "errors": 1, "ratio": 0.3333}
            for minutes in (60, 10)
        ]


def test_who_uses_a_limit_and_who_meets_it(world: World) -> None:
    world.call(key="crm", caller_name="spiffe://a/b")
    world.call(429, key="crm", throttling=limited(Kind.DAILY))
    world.call(caller_name="spiffe://a/b")
    world.call()
    world.call(caller="", category=None)
    told = world.told()
    assert told["used"] == [
        {
            "category": "light",
            "count": 4,
            "callers": [
                {"caller": "crm", "count": 2},
                {"caller": "10.1.4.17", "count": 1},
                {"caller": "spiffe://a/b", "count": 1},
            ],
        },
        {"category": "unknown", "count": 1, "callers": [{"caller": "unix socket", "count": 1}]},
    ]
    assert told["limited"] == [
        {
            "category": "medium",
            "type": "daily",
            "count": 1,
            "callers": [{"caller": "crm", "count": 1}],
        }
    ]
    assert world.told("sales")["used"] == []


def header(category: bytes | None, kind: bytes, remaining: bytes) -> dict[bytes, bytes]:
    told = {
        b"x-ratelimit-type": kind,
        b"x-ratelimit-limit": b"6000",
        b"x-ratelimit-remaining": remaining,
    }
    return told if category is None else told | {b"x-ratelimit-category": category}


class TestWhatZoomTells:
    def test_the_newest_of_each_limit(self, world: World) -> None:
        world.call(told=header(b"Light", b"Daily-limit", b"100"))
        world.call(told=header(b"Light", b"QPS", b"7"))
        world.now += 1
        world.call(told=header(b"LIGHT", b"Daily-limit", b"99"))
        world.call(told=header(None, b"QPS", b"3"), category="heavy")
        assert [
            (one["category"], one["type"], one["remaining"], one["at"])
            for one in world.told()["limits"]  # type: ignore[attr-defined]  # JSON
        ] == [
            ("heavy", "per_second", 3, "2027-01-15T08:00:01Z"),
            ("light", "daily", 99, "2027-01-15T08:00:01Z"),
            ("light", "per_second", 7, "2027-01-15T08:00:00Z"),
        ]

    def test_strange_ones_do_not_fill_the_memory(self, world: World) -> None:
        for number in range(1000):
            world.call(told=header(b"%d" % number, b"%d" % number, b"1"))
        assert len(list(world.watch.told())) <= 16


def test_accounts_come_and_go_by_a_reload(world: World) -> None:
    world.call(account="sales")
    world.call()
    world.watch.prepare(["default", "new"])
    assert [name for name, _ in world.watch.uses()] == ["default"]
    world.call(account="new")
    world.call(account="sales")
    assert [name for name, _ in world.watch.uses()] == ["default", "new"]


class TestMetrics:
    @pytest.fixture
    def shown(self, world: World) -> "Shown":
        return Shown(world)

    def test_of_429s_and_retries(self, shown: "Shown") -> None:
        story = limited(Kind.PER_SECOND, Kind.PER_SECOND, Kind.DAILY, retries=2)
        story.outcome = RetryOutcome.LIMITED
        shown.metrics.ended("default", story)
        found = shown.lines()
        labels = 'account="default",category="medium"'
        assert found[f'z_ratelimited_total{{{labels},type="per_second"}}'] == 2
        assert found[f'z_ratelimited_total{{{labels},type="daily"}}'] == 1
        assert found['z_ratelimit_retries_total{account="default",outcome="limited"}'] == 1

    def test_of_answers_as_they_come(self, shown: "Shown") -> None:
        for status in (200, 200, 404):
            shown.world.call(status)
        for _ in range(2):
            found = shown.lines()
            assert found['z_zoom_answers_total{account="default",result="success"}'] == 2
            assert found['z_zoom_answers_total{account="default",result="failure"}'] == 1
        shown.world.call()
        assert shown.lines()['z_zoom_answers_total{account="default",result="success"}'] == 3

    def test_an_account_that_comes_back_counts_on(self, shown: "Shown") -> None:
        for status in (200, 404):
            shown.world.call(status)
        shown.lines()
        shown.world.watch.prepare(["sales"])
        shown.world.watch.prepare(["default"])
        shown.world.call()
        found = shown.lines()
        assert found['z_zoom_answers_total{account="default",result="success"}'] == 2
        assert found['z_zoom_answers_total{account="default",result="failure"}'] == 1

    def test_of_what_zoom_told(self, shown: "Shown") -> None:
        shown.world.call(told=header(b"Light", b"Daily-limit", b"100"))
        labels = '{account="default",category="light",type="daily"}'
        found = shown.lines()
        assert found[f"z_ratelimit_limit{labels}"] == 6000
        assert found[f"z_ratelimit_remaining{labels}"] == 100
        assert found[f"z_ratelimit_told_at_seconds{labels}"] == pytest.approx(1_800_000_000)
        shown.world.now += 60
        shown.world.call(told=header(b"Light", b"Daily-limit", b"x"))
        found = shown.lines()
        assert found[f"z_ratelimit_remaining{labels}"] == 100
        assert found[f"z_ratelimit_told_at_seconds{labels}"] == pytest.approx(1_800_000_060)


class Shown:
    """A world's metrics, as they are scraped."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._registry = CollectorRegistry()
        self.metrics = RateMetrics("z", self._registry)
        self.metrics.uses, self.metrics.told = world.watch.uses, world.watch.told

    def lines(self) -> dict[str, float]:
        self.metrics.refresh()
        text = generate_latest(self._registry).decode().splitlines()
        rows = [line.rpartition(" ") for line in text if not line.startswith("#")]
        return {name: float(value) for name, _, value in rows}
