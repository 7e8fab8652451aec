import pytest

from gateway.core.limits import Limits, connections_within


@pytest.mark.parametrize(
    ("descriptors", "calls", "connections"),
    [
        (1_048_576, 1000, 10_000),  # memory is the limit
        (10_000, 1000, 10_000 - 64 - 2000 - 256),
        (1024, 1000, 480),  # too few for both
        (1024, 10, 1024 - 64 - 20 - 256),
        (64, 1000, 1),
        (0, 0, 1),
    ],
)
def test_connections_leave_descriptors_for_the_calls(
    descriptors: int, calls: int, connections: int
) -> None:
    assert connections_within(descriptors, calls) == connections


def test_limits_that_nobody_set() -> None:
    limits = Limits()
    assert limits.calls < limits.connections
    assert limits.connections_per_caller == 0
    assert limits.kept_memory < limits.kept_disk
