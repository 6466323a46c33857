"""Where things lie: the roots of event logs, artifacts and executed notebooks."""

from pathlib import Path

import dagster as dg


class Storage(dg.ConfigurableResource[None]):
    """A root folder; a relative one lies below the folder of the Dagster instance (DAGSTER_HOME)."""

    root: str

    def path(self, instance: dg.DagsterInstance) -> Path:
        """The folder as an absolute path."""
        return Path(instance.root_directory).absolute() / self.root


def default_resources() -> dict[str, Storage]:
    """One home folder: everything below the Dagster instance's own folder."""
    return {
        "events": Storage(root="events"),
        "artifacts": Storage(root="artifacts"),
        "executed_notebooks": Storage(root="notebooks"),
    }
