"""Which event partitions may be read together, by the types of their files."""

import random
from collections.abc import Mapping
from itertools import chain
from typing import Any

import pytest

from ml_assets.domain.agreement import Agreement, describe_misfits
from ml_assets.domain.contents import (
    BOOLEAN,
    FLOAT,
    INSTANT,
    INTEGER,
    NESTED,
    TEXT,
    TIME_OF_DAY,
    TWICE,
    UNTYPED,
    UUID,
    Alike,
    Column,
    Contents,
    Wanted,
)
from ml_assets.domain.declared.event_log import Columns

VISITS, ORDERS, VIEWS = "shop/visits", "shop/orders", "shop/views"
COLUMNS = Columns("at", ("row",), known="known", deleted="gone")
AT = Column(INSTANT, "timestamp[us, tz=UTC]")
GOOD = {"at": AT, "known": AT, "gone": Column(BOOLEAN, "bool"), "row": Column(INTEGER, "int64")}
WHOLE, WORDS, FRACTION = Column(INTEGER, "int64"), Column(TEXT, "string"), Column(FLOAT, "double")
NOTHING = Column(UNTYPED, "null")
WANTED = Wanted.of_logs([(VISITS, COLUMNS), (ORDERS, COLUMNS)], ["visit"])


def day(number: int, *files: Mapping[str, Column], of: int = 1) -> dict[str, Contents]:
    """One event partition. Args: `files`: what is other than usual in them, None for a column that is not there."""
    alike = [
        Alike({name: one for name, one in {**GOOD, **columns}.items() if one}, f"date={number}/{place}.parquet", of)
        for place, columns in enumerate(files)
    ]
    return {str(number): Contents("", alike=tuple(alike))}


def days(*numbers: int, **columns: Any) -> dict[str, Contents]:
    return {key: of for number in numbers for key, of in day(number, columns).items()}


def window(*numbers: int) -> dict[str, list[str]]:
    return {log: list(map(str, numbers)) for log in (VISITS, ORDERS)}


def refused(seen: Mapping[str, Mapping[str, Contents]], *numbers: int, wanted: Wanted = WANTED) -> dict[str, list[str]]:
    found = Agreement(wanted, seen).misfits(window(*numbers))
    return {log: list(of) for log, of in found.items()}


def test_files_that_agree_are_read_together() -> None:
    seen = {VISITS: days(1, 2, 3, visit=WHOLE), ORDERS: days(1, 2, 3, visit=Column(INTEGER, "uint8"))}
    agreement = Agreement(WANTED, seen)
    assert agreement.agree_all
    assert agreement.misfits(window(1, 2, 3)) == {}


def test_a_file_that_differs_from_most_is_refused_and_the_words_name_log_file_column_and_both_types() -> None:
    seen = {VISITS: days(1, 2, 3, visit=WHOLE), ORDERS: days(1, 3, visit=WHOLE) | days(2, visit=WORDS)}
    found = Agreement(WANTED, seen).misfits(window(1, 2, 3))
    why = "shop/orders date=2/0.parquet: column visit is string, but int64 in most files, such as shop/visits "
    assert describe_misfits(found) == f"{why}date=1/0.parquet"
    assert found == {ORDERS: {"2": f"{why}date=1/0.parquet"}}


def test_numbers_in_one_log_and_text_in_the_other_refuse_the_one_with_fewer_files() -> None:
    seen = {VISITS: days(1, 2, visit=WHOLE), ORDERS: days(1, visit=WORDS) | day(2, {"visit": WORDS}, of=2)}
    assert refused(seen, 1, 2) == {VISITS: ["1", "2"]}
    assert refused(seen, 1) == {ORDERS: ["1"]}, "of equally many, the exposures are the reference"


def test_a_window_across_a_change_is_refused_and_one_wholly_before_or_after_it_is_not() -> None:
    seen = {log: days(1, 2, 3, visit=WHOLE) | days(4, 5, visit=WORDS) for log in (VISITS, ORDERS)}
    assert refused(seen, 2, 3, 4) == {VISITS: ["4"], ORDERS: ["4"]}
    assert refused(seen, 1, 2, 3) == {}
    assert refused(seen, 4, 5) == {}


def test_a_partition_whose_own_files_differ_fits_no_window() -> None:
    seen = {VISITS: days(1, visit=WHOLE) | day(2, {"visit": WHOLE}, {"visit": WORDS}), ORDERS: days(1, 2, visit=WHOLE)}
    assert refused(seen, 1) == {}
    assert refused(seen, 2) == {VISITS: ["2"]}


def test_a_column_without_a_type_and_a_day_without_files_fit_any() -> None:
    seen = {VISITS: days(1, visit=WORDS) | {"2": Contents("")}, ORDERS: days(1, visit=NOTHING) | days(2, visit=WORDS)}
    seen[ORDERS] |= days(3, visit=NOTHING, known=NOTHING, at=NOTHING, gone=NOTHING, row=NOTHING)
    assert Agreement(WANTED, seen).agree_all


def test_each_key_of_a_log_agrees_with_itself_alone_unless_logs_meet_by_it() -> None:
    seen = {VISITS: days(1, 2, visit=WHOLE), ORDERS: days(1, 2, visit=WHOLE, row=WORDS)}
    assert refused(seen, 1, 2) == {}
    seen[ORDERS] = days(1, visit=WHOLE, row=WORDS) | days(2, visit=WHOLE)
    assert refused(seen, 1, 2) == {ORDERS: ["2"]}


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"visit": FRACTION}, "column visit is double, and int64 in most files; keys are integers, text, decimals or"),
        ({"visit": Column(NESTED, "list<item: int64>")}, r"column visit is list<item: int64>, and int64 in most files"),
        ({"row": FRACTION}, "column row is double, and int64 in most files"),
        (
            {"visit": None, "visits": WHOLE},
            r"it lacks visit \(int64 in most files\); it has .* \(did you mean 'visits'",
        ),
        ({"known": None}, r"it lacks known \(timestamp\[us, tz=UTC\] in most files\); it has at, gone, row, visit$"),
        ({"visit": None, "Visit": WHOLE}, r"it lacks visit .* \(did you mean 'Visit'\?\)"),
        ({"VISIT": WHOLE}, "it has columns visit and VISIT, which engines take for one"),
        ({"visit": Column(TWICE, "int64, and there twice")}, "it has two columns of the name visit$"),
        ({"at": Column("date", "date32")}, "column at is date32.*; write timestamps with a time zone"),
        (
            {"known": Column("timestamp", "timestamp[us]")},
            r"column known is timestamp\[us\], and timestamp\[us, tz=UTC",
        ),
        ({"gone": WHOLE}, "column gone is int64, and bool in most files; write a boolean"),
    ],
)
def test_what_is_wrong_whatever_the_others_are_is_said_of_the_partition_alone(
    columns: dict[str, Column | None], why: str
) -> None:
    seen = {
        VISITS: days(1, 2, visit=WHOLE) | days(3, **{"visit": WHOLE, **columns}),
        ORDERS: days(1, 2, 3, visit=WHOLE),
    }
    agreement = Agreement(WANTED, seen)
    assert agreement.problems[VISITS].keys() == {"3"}
    assert agreement.problems[ORDERS] == {}
    with pytest.raises(ValueError, match=f"^shop/visits date=3/0.parquet: {why}"):
        raise ValueError(agreement.problems[VISITS]["3"])
    assert agreement.agree(window(1, 2, 3)), "the others may be read"


def test_a_log_all_of_whose_files_are_wrong_has_nothing_to_compare_with() -> None:
    (why,) = set(Agreement(WANTED, {VISITS: days(1, visit=FRACTION)}).problems[VISITS].values())
    assert why.startswith("shop/visits date=1/0.parquet: column visit is double; keys are")


HISTORY = WANTED.with_history(VIEWS, Columns("at", ("row",)), ["user"], ["price"])


def test_the_values_of_a_history_are_of_one_family_and_may_be_floats() -> None:
    seen = {VIEWS: days(1, 2, user=WORDS, price=FRACTION) | days(3, user=WORDS, price=WHOLE)}
    assert Agreement(HISTORY, seen).misfits({VIEWS: ["1", "2"]}) == {}
    found = Agreement(HISTORY, seen).misfits({VIEWS: ["1", "2", "3"]})
    assert found[VIEWS]["3"].startswith("shop/views date=3/0.parquet: column price is int64, but double in most files")


def test_exposures_may_lack_what_a_notebook_gives_them_all_of_them_or_none() -> None:
    wanted = Wanted(
        {**HISTORY.columns, VISITS: {**HISTORY.columns[VISITS], "user": HISTORY.columns[VIEWS]["user"]}},
        {**HISTORY.shared, "user": frozenset({VISITS, VIEWS})},
        optional=frozenset({(VISITS, "user")}),
    )
    views = days(1, 2, 3, user=WORDS, price=FRACTION)
    lacking, having = days(1, 2, visit=WHOLE), days(3, visit=WHOLE, user=WORDS)
    assert Agreement(wanted, {VISITS: lacking, VIEWS: views}).agree_all
    assert Agreement(wanted, {VISITS: having, VIEWS: views}).agree_all
    found = Agreement(wanted, {VISITS: lacking | having, VIEWS: views}).misfits(window(1, 2, 3))
    assert found[VISITS]["3"].startswith("shop/visits date=3/0.parquet: there is a column user, and none in most files")
    other = days(3, visit=WHOLE, user=WHOLE)
    assert Agreement(wanted, {VISITS: other, VIEWS: views}).misfits({VISITS: ["3"], VIEWS: ["1", "2"]}).keys() == {
        VISITS
    }


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (Column(UUID, "uuid"), "column other is uuid, which Spark cannot read"),
        (Column(TIME_OF_DAY, "time64[us]"), r"column other is time64[us], which Spark cannot read"),
        (Column(FLOAT, "halffloat"), "column other is halffloat, which Spark cannot read"),
        (Column(TWICE, "int64, and there twice"), "it has two columns of the name other, which Spark cannot read"),
    ],
)
def test_a_type_that_spark_cannot_read_is_refused_where_spark_reads_whoever_uses_the_column(
    column: Column, why: str
) -> None:
    seen = {VISITS: days(1, visit=WHOLE, other=column)}
    assert Agreement(WANTED, seen).problems == {VISITS: {}}
    spark = Wanted(WANTED.columns, WANTED.shared, spark=True)
    assert Agreement(spark, seen).problems[VISITS]["1"].startswith(f"shop/visits date=1/0.parquet: {why}")


def test_a_partition_that_holds_what_would_be_left_out_is_none_to_be_read() -> None:
    seen = {VISITS: {"1": Contents("", problem="date=1: the rows of x would be left out")}}
    assert Agreement(WANTED, seen).problems[VISITS]["1"] == "shop/visits date=1: the rows of x would be left out"


def test_any_window_is_refused_as_one_that_is_compared_pair_by_pair() -> None:
    random.seed(13)
    kinds = [WHOLE, WHOLE, Column(INTEGER, "int32"), WORDS, NOTHING]
    for _ in range(200):
        seen = {
            log: {key: of for number in range(6) for key, of in day(number, {"visit": random.choice(kinds)}).items()}
            for log in (VISITS, ORDERS)
        }
        agreement = Agreement(WANTED, seen)
        first = random.randrange(6)
        asked = window(*range(first, random.randint(first, 6)))
        families = {
            alike.columns["visit"].family for log, of in asked.items() for one in of for alike in seen[log][one].alike
        } - {UNTYPED}
        assert agreement.agree(asked) == (len(families) <= 1) == (not agreement.misfits(asked))
        left = [
            alike.columns["visit"].family
            for log, of in asked.items()
            for one in of
            if one not in agreement.misfits(asked).get(log, ())
            for alike in seen[log][one].alike
        ]
        assert len(set(left) - {UNTYPED}) <= 1, "what is left may be read together"
        assert not families or set(chain(left)) - {UNTYPED}, "and most is left"
