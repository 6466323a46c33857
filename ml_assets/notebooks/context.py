"""The context of a notebook that no Dagster run gives one: in Jupyter, and in tests."""

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_assets.notebooks.order import ORDER_TAG


@dataclass(frozen=True)
class Run:
    """The tags of a run, one of which names the order."""

    tags: Mapping[str, str]


@dataclass(frozen=True)
class Context:
    """What a step needs of dagstermill's context: the run's tags, and a logger."""

    run: Run
    log: logging.Logger


def context_of_order(order_file: Path) -> Context:
    """The context of the step that a file orders. Its log is printed below the cell."""
    if (shell := _shell()) is not None:
        from ml_assets.notebooks.kernels.shell import prepare

        prepare(shell)
    log = logging.getLogger("ml_assets.notebook")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers = [logging.StreamHandler(sys.stdout)]
    return Context(Run({ORDER_TAG: str(order_file)}), log)


def _shell() -> Any:
    """That of the kernel that this process is; None where it is none."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell if hasattr(shell, "kernel") else None
