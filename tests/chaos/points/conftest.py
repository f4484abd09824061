"""The option that says how often each crash point is tried."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make chaos-matrix` strikes three times."""
    parser.addoption("--rows-repeat", type=int, default=1, help="how often each crash point is struck (1)")
