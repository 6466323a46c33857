"""The domain's calendars and windows as Dagster's partitions and partition mappings."""

from collections.abc import Iterable

import dagster as dg

from ml_assets.domain.calendar import KEY_FORMATS, Calendar
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.windows import Windows

_CRON = {"hour": "0 * * * *", "day": "0 0 * * *"}


def partitions_definition(
    calendar: Calendar, *, first_index: int = 0, last_index: int | None = None, partitions_ahead: int = 0
) -> dg.TimeWindowPartitionsDefinition:
    """Dagster's partitions of a calendar, from `first_index` to `last_index`, listed that far beyond the present."""
    start = calendar.interval(first_index).start.astimezone(calendar.zone)
    finish = calendar.finish if last_index is None else calendar.interval(max(first_index, last_index)).end
    end = finish.astimezone(calendar.zone).replace(tzinfo=None) if finish else None
    cron = _CRON.get(calendar.every) or f"0 0 * * {start.isoweekday() % 7}"
    return dg.TimeWindowPartitionsDefinition(
        start=start.replace(tzinfo=None),
        end=end,
        cron_schedule=cron,
        fmt=KEY_FORMATS[calendar.every],
        timezone=calendar.timezone,
        end_offset=partitions_ahead,
    )


def window_mappings(model: Model, windows: Windows, index: int) -> dict[str, dg.TimeWindowPartitionMapping]:
    """By event log: which of its partitions the partition at `index` reads, as offsets for Dagster's graph.

    Where clocks change, the outcome edge may lie one partition further than a fixed offset says; the sensor and the
    runner therefore ask `domain.windows.needed`, and Dagster's edges serve to show the graph.
    """
    calendar = model.partitions
    intervals = {model.exposures.key: [windows.exposures]}
    intervals.setdefault(model.outcomes.key, []).append(windows.outcomes)
    for key, interval in windows.history.items():
        intervals.setdefault(key, []).append(interval)
    return {
        key: _mapping([offset for interval in parts for offset in calendar.indices(interval)], index)
        for key, parts in intervals.items()
    }


def _mapping(indices: Iterable[int], index: int) -> dg.TimeWindowPartitionMapping:
    indices = list(indices)
    return dg.TimeWindowPartitionMapping(start_offset=min(indices) - index, end_offset=max(indices) - index)
