"""Distributes the tests of `make test` over processes (a pytest plugin, named in the Makefile)."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

SERVED = tuple(
    f"tests/{part}"
    for part in ("contract/", "integration/", "e2e/", "conformance/", "chaos/", "simulation/test_contract_")
)
"""Prefixes of the tests that share the servers."""


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives all tests that start processes or use servers to one worker, which runs them one by one.

    They have time limits, and one pair of servers serves them all. The other workers take pure tests.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "servers" if nodeid.startswith(SERVED) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """The scheduler that xdist asks for."""
    return Groups(config, log)
