import pytest

from gateway.core.plans import PLANS, Limit, Plan, Pool, daily


def test_the_plans_are_zooms() -> None:
    pro, business, free = PLANS["pro"], PLANS["business"], PLANS["free"]
    assert [pro.lanes[name].calls for name in ("light", "medium", "heavy")] == [30, 20, 10]
    assert pro.lanes["resource-intensive"] == Limit(10, 60.0)
    assert pro.pools["heavy"] is pro.pools["resource-intensive"]
    assert pro.pools["heavy"].calls == 30_000
    assert business.lanes["phone.light"] == Limit(40, 1.0)
    assert business.pools["phone.heavy"].calls == 60_000
    assert "light" not in business.pools
    assert free.pools["light"] == Pool("light", 6_000)


@pytest.mark.parametrize(
    ("plan", "category", "product", "lane"),
    [
        ("pro", "light", "meetings", "light"),
        ("pro", "light", "phone", "phone.light"),
        ("pro", "heavy", "contact-center", "contact-center.heavy"),
        ("pro", "resource-intensive", "phone", "resource-intensive"),
        ("free", "light", "phone", "light"),
    ],
)
def test_phone_and_contact_center_have_lanes_of_their_own(
    plan: str, category: str, product: str, lane: str
) -> None:
    assert PLANS[plan].lane(category, product) == lane


@pytest.mark.parametrize("parts", [1, 2, 7, 8, 100])
@pytest.mark.parametrize("limit", [Limit(1, 1.0), Limit(10, 60.0), Limit(80, 1.0)])
def test_the_parts_of_a_limit_are_the_limit(limit: Limit, parts: int) -> None:
    part = limit.part(parts)
    assert part.calls >= 1
    assert parts * part.calls / part.seconds == pytest.approx(limit.calls / limit.seconds)


def test_the_parts_of_a_pool_are_the_pool() -> None:
    assert Pool("x", 10).part(1).calls == 10
    assert Pool("x", 10).part(4).calls == 3


def test_what_shares_a_day() -> None:
    plan = Plan({"heavy": Limit(5, 1.0)}, daily(7))
    assert plan.pools["heavy"].calls == 7
