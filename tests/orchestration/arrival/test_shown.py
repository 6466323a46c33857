"""What the UI shows of an event partition that has arrived."""

from datetime import UTC, datetime, timedelta
from typing import NoReturn

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_assets.orchestration.arrival.contents import look_into
from ml_assets.orchestration.arrival.shown import arrival_records
from ml_assets.orchestration.arrival.sources import ask
from ml_assets.orchestration.recorded.memo import Memo
from tests.orchestration.conftest import AS_OF, Service

LOG, DAY = "shop/visits", "2026-05-01"


def write(service: Service, *sizes: int) -> None:
    """Write the day, one file for each number of rows."""
    service.arrive(1)
    folder = service.root / LOG / f"date={DAY}"
    (folder / "part-0.parquet").unlink()
    for number, size in enumerate(sizes):
        at = [datetime(2026, 5, 1, tzinfo=UTC)] * size
        pd.DataFrame({"id": range(size), "event_time": at}).to_parquet(folder / f"part-{number}.parquet", index=False)


def shown(service: Service, *, seconds: float = 15) -> dict[str, object]:
    logs = service.model.logs
    asked = {log.key: ask(log, service.root, (), as_of=AS_OF) for log in logs}
    seen = look_into(service.instance, logs, service.root, asked, recorded={}, memo=Memo()).seen
    (record,) = arrival_records([(LOG, DAY, "v1")], logs, service.root, seen, seconds=seconds)
    assert (record.partition, record.tags) == (DAY, {"dagster/data_version": "v1"})
    return {name: value.value for name, value in record.metadata.items()}


def test_its_rows_bytes_and_columns_and_when_it_was_written(service: Service) -> None:
    write(service, 3, 4)
    found = shown(service)
    files = list((service.root / LOG / f"date={DAY}").glob("*.parquet"))
    assert (found["rows"], found["files"]) == (7, "2")
    assert found["bytes"] == sum(file.stat().st_size for file in files)
    assert datetime.now(UTC) - timedelta(minutes=5) < datetime.fromtimestamp(found["written at"], UTC)  # type: ignore[arg-type]
    columns = found["dagster/column_schema"]
    assert isinstance(columns, dg.TableSchema)
    assert [(column.name, column.type) for column in columns.columns] == [
        ("id", "int64"),
        ("event_time", "timestamp[ns, tz=UTC]"),
    ]


def test_a_day_without_a_file_has_no_rows(service: Service) -> None:
    write(service)
    assert shown(service) == {"rows": 0, "bytes": 0, "files": "0"}


def test_a_day_that_nobody_has_looked_into_yet_is_reported_without_its_rows(service: Service) -> None:
    write(service, 3)
    (record,) = arrival_records([(LOG, DAY, "v1")], service.model.logs, service.root, {})
    assert record.metadata["files"].value == "1"
    assert "rows" not in record.metadata


def test_a_file_that_cannot_be_read_has_arrived_all_the_same_and_says_so(service: Service) -> None:
    service.arrive(1, content=b"no parquet")
    found = shown(service)
    assert "rows" not in found
    assert "Parquet" in str(found["unreadable"])
    assert found["bytes"] == len(b"no parquet")


@pytest.mark.parametrize(
    "error", [UnicodeDecodeError("utf-8", b"x", 0, 1, "no text"), pa.ArrowNotImplementedError("?")]
)
def test_no_footer_whatever_is_wrong_with_it_keeps_back_other_arrivals(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise error

    write(service, 3)
    monkeypatch.setattr(pq, "ParquetFile", refuse)
    assert str(error) in str(shown(service)["unreadable"])


def test_an_arrival_for_which_there_is_no_time_left_is_reported_without(service: Service) -> None:
    write(service, 3)
    assert shown(service, seconds=0) == {}
