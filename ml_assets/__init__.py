"""Automatic, leak-free offline evaluation of machine-learning models on Dagster's asset graph.

The components are found here under the names that YAML files use (`type: ml_assets.EventLog`). They load only when
asked for: what a notebook imports should not load them.
"""

from typing import Any

_COMPONENTS = ("EvaluatedModel", "EvaluationLoop", "EventLog")


def __getattr__(name: str) -> Any:
    if name in _COMPONENTS:
        from ml_assets import components

        return getattr(components, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_COMPONENTS])
