"""Folders of an event log that match none of its partitions, so that nothing of them is read, with a right name.

Light: the sensor imports this.
"""

import re
from urllib.parse import unquote

from ml_assets.data.logs.event_files import EventFolder, example_of, folder_name
from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.paths import AnyPath

#: How dates begin, and hours, that are written as ours.
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def describe_unmatched(folder: EventFolder, root: AnyPath, log: EventLog) -> str:
    """How many folders match no partition, and the right name of one, in words; empty where there is none.

    A log may reach further back than its start, and go on after its end.
    """
    calendar = log.partitions
    partitions = {name: partition for partition, name in folder.folders.items()}
    meant = [(name, _meant(calendar, name, partitions.get(name))) for name in sorted(folder.names)]
    unmatched = [(name, keys) for name, keys in meant if keys is not None]
    if not unmatched:
        return ""
    first, keys = next((one for one in unmatched if one[1]), unmatched[0])
    right = " or ".join(folder_name(root, calendar.every, key) for key in keys)
    number = "1 folder matches" if len(unmatched) == 1 else f"{len(unmatched)} folders match"
    words = f"event log {log.key}: {number} no partition, so that nothing of it is read, such as {first}: "
    words += f"it would be {right}" if right else f"a partition is named as {example_of(root, log)}"
    if calendar.every == "week":
        words += f" (its weeks begin on {calendar.start:%A}s, as its start, {calendar.start}, does)"
    return words


def _meant(calendar: Calendar, folder: str, partition: str | None) -> list[str] | None:
    """The partitions that the name of a folder may mean; None where it is right, lies outside of the log or means none.

    Args: `partition`: what it is the name of, where it is named as one.
    """
    name, value = ("", partition) if partition is not None else unquote(folder).rpartition("=")[::2]
    if folder.startswith(("_", ".")) or (_DATE.match(value) and value[:10] < calendar.start.isoformat()):
        return None
    if partition is not None and calendar.holds(partition):
        return None
    keys = calendar.meant(value)
    held = [key for key in keys if calendar.holds(key)]
    if keys and not held:
        return None
    # What is not named as a partition of anything, such as another log's folder, is none.
    return held if held or name or partition is not None else None
