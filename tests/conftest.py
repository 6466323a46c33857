"""Options of the tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the simulation on a real instance is."""
    parser.addoption("--examples", type=int, default=None, help="How many examples the simulated sensor plays.")
