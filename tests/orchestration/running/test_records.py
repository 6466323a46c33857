"""What is recorded of a step's artifact, in the artifact and in Dagster."""

import pytest
from markdown_it import MarkdownIt

from ml_assets.notebooks.order import ReadRecord, StepResult
from ml_assets.orchestration.running.records import odd_reads, pictures


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


@pytest.mark.parametrize(
    "name",
    [
        "loss by day",
        "a](https://evil.example/x.png) ![b",
        "<img src=https://evil.example/x.png onerror=alert(1)>",
        "two\n\n# lines",
        "`code` *and* [more](x) & &lt; \\",
    ],
)
def test_the_name_of_a_figure_is_its_words_alone_and_the_picture_is_shown(name: str) -> None:
    [shown] = pictures(StepResult(figures={name: "aGVsbG8="})).values()
    (paragraph,) = [part for part in MarkdownIt().parse(shown.md_str or "") if part.children]
    (picture,) = paragraph.children or []
    assert picture.type == "image"
    assert picture.attrs["src"] == "data:image/png;base64,aGVsbG8="
    assert "".join(part.content for part in picture.children or []) == " ".join(name.split())
