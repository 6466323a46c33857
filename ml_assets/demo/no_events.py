"""What is said before the UI opens on a home that has nothing to show yet."""

from pathlib import Path

from ml_assets.data.logs.event_files import EventFolder, NoFolderError, partition_folder
from ml_assets.demo_services import how_to_get_events
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.project.project import Project


def describe_no_events(project: Project) -> str | None:
    """How to get events, on one line; None where a log of the project has some, or none is kept in files here."""
    root, logs = project.events_root, list(project.logs.values())
    if not logs or not isinstance(root, Path) or any(_may_have_events(root, log) for log in logs):
        return None
    example = partition_folder(root, logs[0], logs[0].partitions.key(0))
    hints = dict.fromkeys(filter(None, (how_to_get_events(project.root, log.service) for log in logs)))
    hint = "".join(f"; {hint}" for hint in hints)
    return f"no event log has any events yet: they are expected in files such as {example}/*.parquet{hint}"


def _may_have_events(root: Path, log: EventLog) -> bool:
    try:
        return log.table is not None or bool(EventFolder(root, log).folders)
    except NoFolderError:
        return False
