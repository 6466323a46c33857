"""What is recorded of a step's artifact, in the artifact and in Dagster."""

from ml_assets.notebooks.order import ReadRecord
from ml_assets.orchestration.records import odd_reads


def read(log: str, **odd: object) -> dict[str, object]:
    given = {"role": "exposures", "partitions": [], "rows": 5, "latest_event": None, "latest_known": None, **odd}
    return ReadRecord.model_validate({"log": log, **given}).model_dump(mode="json")


def test_rows_without_a_key_or_a_time_and_columns_that_were_left_out_are_shown() -> None:
    reads = [
        read("ads/shown", without_key=3, left_out=["odd", "tags"]),
        read("ads/sold"),
        read("ads/seen", without_key=1, without_time=2),
    ]
    assert odd_reads(reads) == {
        "rows without a key": "3 of ads/shown, 1 of ads/seen: no correction or retraction reaches them",
        "rows without a time": (
            "2 of ads/seen: without an event time they lie in no window, without a known time nobody knew of them at a "
            "cutoff"
        ),
        "columns left out": "odd, tags of ads/shown: of types that differ too much, or are too long",
    }


def test_records_of_older_versions_have_nothing_odd() -> None:
    assert odd_reads([{"log": "ads/shown", "rows": 5}, read("ads/sold")]) == {}
