"""The context that a notebook is given in its kernel: dagstermill's own, built when it is asked for.

To build it, dagstermill loads the whole code location anew, which costs more than most notebooks. A step needs its run
and a log alone.
"""

import atexit
import json
from functools import cached_property
from logging import Logger
from pathlib import Path
from typing import Any

import dagster as dg

from ml_assets.dagster_names import DagsterLogManager, DagsterRun, InstanceRef, default_system_loggers, unpack_value
from ml_assets.notebooks.patience import patiently, record_patiently


class KernelContext:
    """The run and the log of a step; whatever else dagstermill's context has, it has, too.

    Attributes: `run`: the run, as if it held this notebook's partition alone; `log`: a logger, shown in the run.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given

    @classmethod
    def read(cls, path: str) -> "KernelContext":
        """The context that the runner has written down."""
        return cls(json.loads(Path(path).read_text(encoding="utf-8")))

    @cached_property
    def run(self) -> DagsterRun:
        """The run."""
        return unpack_value(self._given["job_run_dict"], DagsterRun)

    @cached_property
    def log(self) -> Logger:
        """A logger."""
        ref = unpack_value(self._given["instance_ref_dict"], InstanceRef)
        # That the database is away is no error of a cell.
        instance = patiently(lambda: dg.DagsterInstance.from_ref(ref))
        record_patiently(instance)
        loggers = [
            definition.logger_fn(dg.InitLoggerContext(config, definition))
            for definition, config in default_system_loggers(instance)
        ]
        log = DagsterLogManager.create(loggers=loggers, instance=instance, dagster_run=self.run)
        return log.with_tags(step_key=self._given["step_key"])

    def __getattr__(self, name: str) -> Any:
        # What IPython and copy ask every object for; dagstermill's context has no such names.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._whole, name)

    @cached_property
    def _whole(self) -> Any:
        import dagstermill

        # Of the resources that it opens.
        atexit.register(dagstermill._teardown)
        return patiently(lambda: dagstermill._reconstitute_job_context(**self._given))
