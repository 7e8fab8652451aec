import pytest

from gateway.core.limits import Limits, calls_per_account, connections_within


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


@pytest.mark.parametrize(
    ("calls", "accounts", "most"), [(1000, 1, 0), (1000, 2, 500), (1, 2, 1), (3, 900, 1)]
)
def test_one_of_several_accounts_has_half(calls: int, accounts: int, most: int) -> None:
    assert calls_per_account(calls, accounts) == most
