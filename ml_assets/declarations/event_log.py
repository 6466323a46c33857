"""What a defs.yaml says of an event log, read into the domain's value."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal, Self

import dagster as dg
from pydantic import Field

from ml_assets.declarations.reading import (
    Declaration,
    DurationText,
    Group,
    Values,
    date_of,
    read_group,
    refusing_attributes,
    said,
)
from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared import event_log
from ml_assets.domain.durations import parse_duration
from ml_assets.domain.errors import SpecError


class Partitions(Group):
    """Partitions by event time: how long each is, from which local date on, until which, in which time zone."""

    every: Literal["hour", "day", "week"] = Field(description="How long a partition is.")
    start: str = Field(description="The local date at which the first begins; weeks begin on its weekday.")
    timezone: str = Field(description="Whose days and hours they are, such as Asia/Tokyo.")
    end: str | None = Field(None, description="The local date before which the last ends; else they go on.")


class Columns(Group):
    """Names of columns: event time, what identifies a row, when it could have been known, what marks a retraction."""

    time: str = Field(description="Event time: when it happened.")
    key: list[str] = Field(description="What identifies a row: of rows with one key the newest known in time counts.")
    known: str | None = Field(None, description="Known time: when it could have been known; else the event time.")
    deleted: str | None = Field(None, description="A boolean that marks a retraction; it needs `known`.")


class Watermark(Group):
    """A SQL query that gives the instant up to which the log is complete, and the variable that holds its database."""

    query: str = Field(description="SQL that gives one instant with a time zone.")
    url_variable: str = Field(description="The environment variable that holds the SQLAlchemy URL.")


class Table(Group):
    """A table or view, and the variable that holds its database."""

    name: str = Field(description="Such as `analytics.impressions`.")
    url_variable: str = Field(description="The environment variable that holds the SQLAlchemy URL.")


class Arrival(Group):
    """How it is known that an event partition is complete.

    A `marker` file lies beside its data; its files have been `settled` for a time; or a `watermark` lies beyond it.
    """

    marker: str = Field(event_log.Marker.file, description="A file beside the data, written last.")
    settled: DurationText = Field("", description="It has ended, and none of its files was written for so long.")
    watermark: dict[str, Any] = Field(
        default_factory=dict,
        description="An instant up to which the log is complete.",
        json_schema_extra={"keys": Watermark.model_json_schema()},
    )


class LogDeclaration(Declaration):
    """What is declared of a time-partitioned table of exposures or of outcomes."""

    identity: ClassVar[str] = "key"

    key: Annotated[str, said("The asset key of the log, `<service>/<log>`.")]
    location: Annotated[str, said("The folder below the root of event logs that holds one folder per partition.")] = ""
    table: Annotated[Values, said("The SQL table or view that holds the log, instead of `location`.", keys=Table)] = (
        Field(default_factory=dict)
    )
    partitions: Annotated[Values, said("How event time is cut into partitions.", keys=Partitions)]
    lookahead: Annotated[
        DurationText,
        said(
            "How far ahead partitions are listed: the longest evaluation window + horizon of the models that read it."
        ),
    ]
    columns: Annotated[Values, said("Which columns are time, key and known time.", keys=Columns)]
    known_delay: Annotated[
        DurationText, said("How long after a cutoff a training may still wait for rows of before it.")
    ] = "0h"
    restatement: Annotated[
        DurationText | None,
        said("How long after its end a change of a partition is acted on; later ones are listed. Default: for ever."),
    ] = None
    arrival: Annotated[Values, said("How it is known that a partition is complete: by one of these.", keys=Arrival)] = (
        Field(default_factory=dict)
    )

    @classmethod
    def load(cls, attributes: Any, context: dg.ComponentLoadContext) -> Self:
        """Read and check the declaration where its file is known: models use it from other files."""
        component = super().load(attributes, context)
        with refusing_attributes(context):
            component.to_spec()
        return component

    def to_spec(self) -> event_log.EventLog:
        """The declaration as a value of the domain.

        Raises: SpecError that names the key, the value and what would be right.
        """
        partitions = read_group(Partitions, self.partitions, key="partitions")
        columns = read_group(Columns, self.columns, key="columns")
        return event_log.EventLog(
            key=self.key,
            location=self.location,
            partitions=Calendar(
                every=partitions.every,
                start=date_of(partitions.start, key="partitions.start"),
                timezone=partitions.timezone,
                end=date_of(partitions.end, key="partitions.end") if partitions.end else None,
            ),
            lookahead=parse_duration(self.lookahead, key="lookahead"),
            columns=event_log.Columns(columns.time, tuple(columns.key), columns.known, columns.deleted),
            arrival=_arrival(self.arrival),
            known_delay=parse_duration(self.known_delay, key="known_delay", zero=True).elapsed,
            restatement=(
                None if self.restatement is None else parse_duration(self.restatement, key="restatement", zero=True)
            ),
            table=None if self.table == {} else _table(self.table),
        )


def _table(declared: Any) -> event_log.Table:
    with _hiding_passwords():
        table = read_group(Table, declared, key="table")
        return event_log.Table(table.name, table.url_variable)


def _arrival(declared: Any) -> event_log.Marker | event_log.Settled | event_log.Watermark:
    with _hiding_passwords():
        arrival = read_group(Arrival, declared, key="arrival")
        if len(arrival.model_fields_set) > 1:
            raise SpecError("arrival", sorted(arrival.model_fields_set), "one of marker, settled and watermark")
        if "settled" in declared:
            return event_log.Settled(parse_duration(arrival.settled, key="arrival.settled").elapsed)
        return _watermark(arrival.watermark) if "watermark" in declared else event_log.Marker(arrival.marker)


@contextmanager
def _hiding_passwords() -> Iterator[None]:
    """Who writes the URL where the name of its variable belongs must not find the password in a log."""
    try:
        yield
    except SpecError as error:
        if error.value is None or not (error.key.endswith("url_variable") or "://" in str(error.value)):
            raise
        raise SpecError(error.key, "(not shown, as it may hold a password)", error.expected) from None


def _watermark(declared: dict[str, Any]) -> event_log.Watermark:
    watermark = read_group(Watermark, declared, key="arrival.watermark")
    return event_log.Watermark(watermark.query, watermark.url_variable)
