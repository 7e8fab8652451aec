"""The contract's assertions are told in full, as those of a test file are."""

import pytest

for suite in ("contract", "contract_bench", "contract_fleet", "contract_leases"):
    pytest.register_assert_rewrite(f"tests.stores.{suite}")
