"""What counts of a log with corrections and retractions, one load after the other, in plain Python."""

from collections.abc import Callable, Sequence
from typing import Any

from ml_assets.domain.declared.event_log import Columns

Row = dict[str, Any]


def is_missing(value: object) -> bool:
    """Null or NaN."""
    return value is None or value != value


def newest_versions(rows: Sequence[Row], columns: Columns, order: Callable[[Row], Any]) -> list[Row]:
    """The row that counts of each key, and each row that has none, without retractions; missing is None or NaN.

    Args: `order`: tells the greatest of rows that became known at once.
    """
    if columns.known is None:
        return list(rows)
    versions: dict[object, list[Row]] = {}
    for number, row in enumerate(rows):
        key = tuple(row[name] for name in columns.key)
        versions.setdefault(number if any(map(is_missing, key)) else key, []).append(row)
    newest = [_newest(some, columns, order) for some in versions.values()]
    return [row for row in newest if row is not None]


def _newest(rows: list[Row], columns: Columns, order: Callable[[Row], Any]) -> Row | None:
    """What there is of one key in the end."""
    newest: Row | None = None
    there: dict[object, bool] = {}
    # What has no known time is older than all that has one.
    for known in sorted({row[columns.known] for row in rows}, key=lambda known: (known is not None, known)):
        load = [row for row in rows if row[columns.known] == known]
        removed = [row[columns.time] for row in load if _is_retraction(row, columns)]
        added = [row for row in load if not _is_retraction(row, columns)]
        added = [row for row in added if row[columns.time] not in removed or there.get(row[columns.time])]
        kept = [row[columns.time] for row in added]
        there |= dict.fromkeys(removed, False) | dict.fromkeys(kept, True)
        newest = max(added, key=order, default=None)
    return newest


def _is_retraction(row: Row, columns: Columns) -> bool:
    return columns.deleted is not None and row[columns.deleted] is True
