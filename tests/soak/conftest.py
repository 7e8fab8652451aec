from pathlib import Path

import pytest

from tests.soak.length import SEED, fresh_seed

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Only who names this folder runs it: it takes minutes, or an hour."""
    del collection_path
    named = (Path(one.partition("::")[0]).absolute() for one in config.args)
    return None if any(one.is_relative_to(HERE) for one in named) else True


@pytest.fixture
def seed() -> int:
    """Where the test's chance begins. A test that fails shows what it printed."""
    chosen = fresh_seed()
    print(f"{SEED}={chosen} chooses the same again")  # noqa: T201  for whoever reads the failure
    return chosen
