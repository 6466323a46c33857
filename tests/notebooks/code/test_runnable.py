"""What is in another language, by what Jupyter writes of it."""

from typing import Any

import pytest

from ml_assets.notebooks.code.runnable import other_language


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {}, "language_info": {}},
        {"kernelspec": None},
        {"kernelspec": {"name": "conda-env-ml-py", "display_name": "ml", "language": "Python"}},
        {"kernelspec": {"name": "xpython", "language": "python"}, "language_info": {"name": "ipython"}},
        {"language_info": {"name": "python3"}},
    ],
)
def test_python_is_what_is_said_to_be_or_nothing(metadata: dict[str, Any]) -> None:
    assert other_language(metadata) is None


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"name": "ir", "language": "R"}}, "R"),
        ({"language_info": {"name": "julia"}}, "julia"),
        ({"kernelspec": {"language": "scala"}, "language_info": {"name": "python"}}, "scala"),
    ],
)
def test_another_language_is_named(metadata: dict[str, Any], language: str) -> None:
    assert other_language(metadata) == language
