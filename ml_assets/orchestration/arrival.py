"""Which event partitions have arrived, asked of the source itself. Not what follows from it: that is the domain's."""

from collections.abc import Iterable
from pathlib import Path

from ml_assets.data.event_files import fingerprint, partition_folder, partition_folders
from ml_assets.domain.spec import EventLog


def arrived_by_marker(root: Path, log: EventLog, partitions: Iterable[str] | None = None) -> dict[str, str]:
    """The partitions whose marker file exists, with their fingerprints; all of the log, or of those given.

    Raises: FileNotFoundError when the log has no folder.
    """
    if partitions is None:
        found = partition_folders(root, log)
        # A log may reach further back than its declared start; what is no partition does not concern us.
        folders = {partition: folder for partition, folder in found.items() if log.partitions.holds(partition)}
    else:
        folders = {partition: partition_folder(root, log, partition) for partition in partitions}
    return {
        partition: fingerprint(folder, log.marker)
        for partition, folder in folders.items()
        if (folder / log.marker).exists()
    }
