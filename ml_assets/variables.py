"""The one place that reads the variables of the process's environment, and sets them.

What they decide is said once, in `ml_assets.environments`; a variable that an event log names is read when it is asked.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

#: Where the project runs: the name of one of `ml_assets.environments`.
ENVIRONMENT = "ML_ASSETS_ENVIRONMENT"
#: The folder or URL that holds event logs, artifacts and executed notebooks.
STORAGE = "ML_ASSETS_STORAGE"
#: The folder of the Dagster instance.
HOME = "DAGSTER_HOME"
#: The one below the project, where the variable is not set.
DEFAULT_HOME = ".home"
#: The names under which people open the Dagster UI, separated by commas, beside `localhost`.
HOSTS = "ML_ASSETS_HOSTS"
#: Set to 1 by Dagster+ in the deployment of a branch.
BRANCH_DEPLOYMENT = "DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT"


def get(name: str) -> str | None:
    """The value of a variable; None where it is not set, or empty."""
    return os.environ.get(name) or None


@contextmanager
def being(name: str, value: str) -> Iterator[None]:
    """Meanwhile a variable has a value."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ |= {name: before} if before is not None else {}


def inherited(**others: str) -> Mapping[str, str]:
    """All variables, for a process that is started, with others on top."""
    return {**os.environ, **others}
