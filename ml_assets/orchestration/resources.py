"""Where things lie: the roots of event logs, artifacts and executed notebooks, and how long the last are kept."""

from pathlib import Path

import dagster as dg


class Storage(dg.ConfigurableResource[None]):
    """A root folder; a relative one lies below the folder of the Dagster instance (DAGSTER_HOME)."""

    root: str

    def path(self, instance: dg.DagsterInstance) -> Path:
        """The folder as an absolute path."""
        return Path(instance.root_directory).absolute() / self.root


class ExecutedNotebooks(Storage):
    """The executed notebook of every run, successful or failed: `<asset>/<partition>/<run>.ipynb`.

    `keep_days`: older ones are removed when a partition of their asset is run, except those of current
    materializations; None keeps all.
    """

    keep_days: int | None = None


def default_resources() -> dict[str, Storage]:
    """One home folder: everything below the Dagster instance's own folder."""
    return {
        "events": Storage(root="events"),
        "artifacts": Storage(root="artifacts"),
        "executed_notebooks": ExecutedNotebooks(root="notebooks"),
    }
