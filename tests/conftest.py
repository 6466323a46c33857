"""Options of the tests, and the seed of those that draw examples."""

import pytest
from hypothesis import settings

# The same examples each time; `--hypothesis-profile random` draws others.
settings.register_profile("seeded", derandomize=True, database=None)
settings.register_profile("random", derandomize=False)
settings.load_profile("seeded")


#: They are run in pods.
collect_ignore = ["support/in_pods"]

#: What takes longest begins first, so that no worker is left with it in the end.
_LONGEST = (
    "test_your_first_model",
    "test_retail_loop",
    "test_demo",
    "test_backfill",
    "test_taobao_loop",
    "test_hourly_loop",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files; the tests of one stay as they are."""
    items.sort(key=lambda item: _LONGEST.index(item.path.stem) if item.path.stem in _LONGEST else len(_LONGEST))


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the simulation on a real instance is."""
    parser.addoption("--examples", type=int, default=None, help="How many examples the simulated sensor plays.")
