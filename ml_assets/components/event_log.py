"""The `EventLog` component: reads the declaration of an event log."""

from typing import Any, Literal, Self

import dagster as dg

from ml_assets.components.reading import DurationText, date_of, refusing
from ml_assets.domain import spec
from ml_assets.domain.calendar import Calendar
from ml_assets.domain.durations import parse_duration
from ml_assets.orchestration.assets import event_log_definitions


class PartitionsModel(dg.Model, dg.Resolvable):
    """Partitions by event time: how long each is, from which local date on, until which, in which time zone."""

    every: Literal["hour", "day", "week"]
    start: str
    timezone: str
    end: str | None = None


class ColumnsModel(dg.Model, dg.Resolvable):
    """Names of columns: event time, what identifies a row, and when the row could have been known."""

    time: str
    key: list[str]
    known: str | None = None


class ArrivalModel(dg.Model, dg.Resolvable):
    """How it is known that an event partition is complete: a marker file beside its data."""

    marker: str = "_SUCCESS"


class EventLog(dg.Component, dg.Model, dg.Resolvable):
    """A time-partitioned table of exposures or of outcomes, in hive-partitioned Parquet."""

    key: str
    location: str
    partitions: PartitionsModel
    lookahead: DurationText
    columns: ColumnsModel
    known_delay: DurationText = "0h"
    arrival: ArrivalModel = ArrivalModel()

    @classmethod
    def load(cls, attributes: Any, context: dg.ComponentLoadContext) -> Self:
        """Read and check the declaration where its file is known: models use it from other files."""
        component = super().load(attributes, context)
        with refusing(context):
            component.to_spec()
        return component

    def to_spec(self) -> spec.EventLog:
        """The declaration as a value of the domain.

        Raises: SpecError that names the key, the value and what would be right.
        """
        return spec.EventLog(
            key=self.key,
            location=self.location,
            partitions=Calendar(
                every=self.partitions.every,
                start=date_of(self.partitions.start, key="partitions.start"),
                timezone=self.partitions.timezone,
                end=date_of(self.partitions.end, key="partitions.end") if self.partitions.end else None,
            ),
            lookahead=parse_duration(self.lookahead, key="lookahead"),
            columns=spec.Columns(self.columns.time, tuple(self.columns.key), self.columns.known),
            marker=self.arrival.marker,
            known_delay=parse_duration(self.known_delay, key="known_delay", zero=True).elapsed,
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  (the interface has it)
        """The asset of this log."""
        return event_log_definitions(self.to_spec())
