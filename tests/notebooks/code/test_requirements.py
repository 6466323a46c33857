"""What a model's notebooks need beyond the project's packages is checked where it is declared."""

import re
import shlex
import sys
from importlib.metadata import version

import pytest

from ml_assets.domain.errors import SpecError
from ml_assets.notebooks.code.requirements import check_requirements


@pytest.mark.parametrize(
    "requirements",
    [
        [],
        ["pandas"],
        ["Pandas>=2", "scikit_learn"],
        [f"pandas=={version('pandas')}"],
        ["not-there; python_version < '3'"],
        ["dagster-webserver[notebook]"],
    ],
    ids=str,
)
def test_what_is_installed_is_enough(requirements: list[str]) -> None:
    check_requirements(requirements)


def test_all_that_is_missing_is_named_with_what_is_there_and_the_command_that_mends_it() -> None:
    with pytest.raises(SpecError) as raised:
        check_requirements(["pandas", "pandas>=99", "no-such-package==1.0"])
    message = str(raised.value)
    assert message.startswith("requirements")
    assert f"here is pandas {version('pandas')}, no no-such-package" in message
    command = shlex.split(re.search(r"Run: (.*)$", message).group(1))
    assert command == [sys.executable, "-m", "pip", "install", "pandas>=99", "no-such-package==1.0"]


@pytest.mark.parametrize("text", ["", "pandas >>= 2", "a b", "--index-url"])
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="a requirement as pip takes it, such as xgboost>=2"):
        check_requirements([text])
