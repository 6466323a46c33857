"""Options of the tests, and the seed of those that draw examples."""

import pytest
from hypothesis import settings

# The same examples each time; `--hypothesis-profile random` draws others.
settings.register_profile("seeded", derandomize=True, database=None)
settings.register_profile("random", derandomize=False)
settings.load_profile("seeded")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the simulation on a real instance is."""
    parser.addoption("--examples", type=int, default=None, help="How many examples the simulated sensor plays.")
