"""When a certificate ought to be replaced."""

import pytest

from gateway.core.certificate import Certificate

DAY = 86400.0


@pytest.mark.parametrize(
    ("life", "notice"), [(365 * DAY, 14 * DAY), (90 * DAY, 9 * DAY), (DAY, DAY / 10), (60.0, 6.0)]
)
def test_it_is_due_some_time_before_its_end(life: float, notice: float) -> None:
    made = Certificate(("gateway.test",), 1000.0, 1000.0 + life)
    assert made.due == pytest.approx(1000.0 + life - notice)
    assert made.age(999.0) == "early"
    assert made.age(1000.0) == "good"
    assert made.age(made.due - 1) == "good"
    assert made.age(made.due) == "due"
    assert made.age(made.ends - 0.1) == "due"
    assert made.age(made.ends) == "expired"
