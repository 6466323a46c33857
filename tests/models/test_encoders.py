"""Encoders: which features are categories, that a code means the same for ever, and what is refused."""

import datetime
import decimal
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_assets.models.encoders import Encoder, as_numbers, only_column

CELLS = st.none() | st.booleans() | st.integers() | st.floats(allow_infinity=False) | st.text()


def kinds(encoder: Encoder) -> dict[str, str]:
    return {entry["name"]: entry["kind"] for entry in encoder.to_json()}


def codes(encoder: Encoder, cells: list, dtype=None) -> list[float | None]:
    encoded = encoder.transform(pd.DataFrame({"x": pd.Series(cells, dtype=dtype)}))["x"]
    return [None if math.isnan(code) else code for code in encoded]


def fitted(cells: list, dtype=None) -> Encoder:
    return Encoder.fit(pd.DataFrame({"x": pd.Series(cells, dtype=dtype)}), ["x"], ["x"])


def meaning(cell: object) -> object:
    """What a cell is, by the rules and without the code under test."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    return (isinstance(cell, bool), isinstance(cell, str), cell)


@given(st.lists(CELLS, max_size=12))
def test_codes_are_the_same_after_a_round_trip_through_json(cells):
    encoder = fitted(cells, dtype=object)
    text = json.dumps(encoder.to_json())
    restored = Encoder.from_json(json.loads(text))
    assert json.dumps(restored.to_json()) == text
    assert codes(restored, cells, dtype=object) == codes(encoder, cells, dtype=object)


@given(st.lists(CELLS, max_size=12))
def test_two_cells_share_a_code_exactly_when_they_mean_the_same(cells):
    found = codes(Encoder.from_json(json.loads(json.dumps(fitted(cells, dtype=object).to_json()))), cells, dtype=object)
    for one, one_code in zip(cells, found, strict=True):
        assert (one_code is None) == (meaning(one) is None)
        for other, other_code in zip(cells, found, strict=True):
            assert (one_code == other_code) == (meaning(one) == meaning(other))


@given(st.permutations(["b", 2, True, None, "a", 1, 0.5, False, "1"]))
def test_codes_do_not_depend_on_the_order_of_rows(cells):
    assert fitted(cells, dtype=object) == fitted(sorted(cells, key=repr), dtype=object)
    assert codes(fitted(cells, dtype=object), [False, True, 0.5, 1, 2, "1", "a", "b"], dtype=object) == [*range(8)]


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["a", None], "object"),
        (["a", None], "string"),
        (["a", None], "category"),
        ([1, 2], "category"),
        ([True, False], "bool"),
        ([True, None], "boolean"),
    ],
)
def test_text_categories_and_booleans_are_categorical_without_being_named(cells, dtype):
    assert kinds(Encoder.fit(pd.DataFrame({"x": pd.Series(cells, dtype=dtype)}), ["x"])) == {"x": "categorical"}


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float32", "float64", "Int64", "Float64"])
def test_numbers_are_numeric_and_become_float64(dtype):
    frame = pd.DataFrame({"x": pd.Series([1, 2], dtype=dtype)})
    encoder = Encoder.fit(frame, ["x"])
    assert kinds(encoder) == {"x": "numeric"}
    encoded = encoder.transform(frame)["x"]
    assert encoded.dtype == np.float64
    assert encoded.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [([1, pd.NA], "Int64"), ([True, pd.NA], "boolean"), ([1.0, None], "float64"), ([1, None], "object")],
)
def test_missing_numbers_become_nan_whatever_the_dtype(cells, dtype):
    encoder = Encoder.fit(pd.DataFrame({"x": [1, 2]}), ["x"])
    assert codes(encoder, cells, dtype=dtype) == [1.0, None]


def test_a_numeric_column_that_is_missing_throughout_becomes_nan():
    encoder = Encoder.fit(pd.DataFrame({"x": [1.5]}), ["x"])
    assert codes(encoder, [None, pd.NA, pd.NaT], dtype=object) == [None, None, None]


def test_unseen_and_missing_values_get_no_code():
    encoder = fitted(["a", "b"])
    assert codes(encoder, ["b", "new", None, math.nan, "a"]) == [1.0, None, None, None, 0.0]


def test_a_category_that_the_dtype_lists_but_no_row_holds_is_unseen():
    encoder = fitted(["a"], dtype=pd.CategoricalDtype(["a", "b"]))
    assert codes(encoder, ["a", "b"]) == [0.0, None]


def test_the_number_1_the_text_1_and_true_are_three_categories():
    encoder = fitted([1, "1", True], dtype=object)
    assert encoder.to_json()[0]["categories"] == [True, 1, "1"]
    assert codes(encoder, [True, 1, "1"], dtype=object) == [0.0, 1.0, 2.0]


def test_whole_numbers_that_arrive_as_floats_are_the_same_categories():
    encoder = fitted([7, 9])
    assert codes(encoder, [9.0, math.nan, 7.0]) == [1.0, None, 0.0]
    assert codes(encoder, [9, None, 7], dtype="Int64") == [1.0, None, 0.0]
    assert encoder == fitted([9.0, 7.0])
    assert json.dumps(encoder.to_json()[0]["categories"]) == "[7, 9]"


def test_large_identifiers_keep_every_digit():
    identifiers = [2**63 - 1, 2**63 - 2]
    restored = Encoder.from_json(json.loads(json.dumps(fitted(identifiers).to_json())))
    assert codes(restored, identifiers) == [1.0, 0.0]


def test_infinity_is_a_missing_category():
    assert codes(fitted([1.0, math.inf]), [math.inf, 1.0]) == [None, 0.0]


def test_a_column_of_another_type_is_refused_where_one_odd_cell_is_not():
    encoder = fitted([1, 2])
    assert codes(encoder, [1, "?"], dtype=object) == [0.0, None]
    with pytest.raises(ValueError, match=r"column 'x' was fitted on number values and now holds only text values"):
        codes(encoder, ["1", "2"])
    with pytest.raises(ValueError, match="fitted on boolean values and now holds only number values"):
        codes(fitted([True, False]), [1, 0])


def test_a_category_that_was_missing_throughout_the_training_accepts_anything():
    assert codes(fitted([None, None]), ["a", None]) == [None, None]


def test_the_columns_and_rows_come_back_in_order_and_alone():
    frame = pd.DataFrame({"b": [1.0, 2.0], "other": [0, 0], "a": ["x", "y"]}, index=[7, 3])
    encoded = Encoder.fit(frame, ["a", "b"]).transform(frame[["other", "b", "a"]])
    assert encoded.to_dict("split") == {"index": [7, 3], "columns": ["a", "b"], "data": [[0.0, 1.0], [1.0, 2.0]]}


def test_an_empty_frame_is_encoded_as_an_empty_frame():
    encoder = Encoder.fit(pd.DataFrame({"a": ["x"], "b": [1.0]}), ["a", "b"])
    encoded = encoder.transform(pd.DataFrame({"a": [], "b": []}))
    assert encoded.shape == (0, 2)
    assert set(encoded.dtypes) == {np.dtype("float64")}


def test_a_name_that_is_nearly_a_column_is_answered_with_it():
    with pytest.raises(
        ValueError, match=r"column 'devise' is missing \(did you mean 'device'\?\); the columns present"
    ):
        Encoder.fit(pd.DataFrame({"device": ["phone"]}), ["devise"])
    with pytest.raises(ValueError, match=r"categorical names \['devise'\] \(did you mean 'device'\?\), which"):
        Encoder.fit(pd.DataFrame({"device": ["phone"]}), ["device"], ["devise"])


def test_a_missing_column_is_refused_with_those_present():
    encoder = Encoder.fit(pd.DataFrame({"a": [1], "b": [2]}), ["a", "b"])
    with pytest.raises(ValueError, match=r"column 'b' is missing; the columns present are \['a', 'c'\]"):
        encoder.transform(pd.DataFrame({"a": [1], "c": [2]}))
    with pytest.raises(ValueError, match="column 'z' is missing"):
        Encoder.fit(pd.DataFrame({"a": [1]}), ["z"])


def test_a_column_that_is_there_twice_is_refused():
    with pytest.raises(ValueError, match="column 'a' is there 2 times: expected once"):
        only_column(pd.DataFrame([[1, 2]], columns=["a", "a"]), "a")


@pytest.mark.parametrize(
    "column", [pd.Series(["1.5"]), pd.Series(["1.5"], dtype="string"), pd.Series(["1.5"], dtype="category")]
)
def test_a_number_that_arrives_as_text_is_refused(column):
    encoder = Encoder.fit(pd.DataFrame({"x": [1.5]}), ["x"])
    with pytest.raises(ValueError, match=r"column 'x' (holds '1\.5' \(str\)|has dtype \w+): expected numbers"):
        encoder.transform(pd.DataFrame({"x": column}))


@pytest.mark.parametrize("categorical", [[], ["x"]])
@pytest.mark.parametrize(
    "dtype", ["datetime64[ns]", "datetime64[ns, UTC]", "timedelta64[ns]", "complex128", "period[D]"]
)
def test_a_dtype_that_cannot_be_a_feature_is_refused_with_what_can(dtype, categorical):
    frame = pd.DataFrame({"x": pd.Series([], dtype=dtype)})
    with pytest.raises(ValueError) as refusal:
        Encoder.fit(frame, ["x"], categorical)
    assert str(refusal.value).startswith(f"column 'x' has dtype {dtype}: a feature is a number, a boolean or text")


@pytest.mark.parametrize("cell", [datetime.date(2026, 1, 1), decimal.Decimal(1), b"a", [1], pd.Timestamp("2026-01-01")])
def test_a_value_that_cannot_be_a_category_is_refused_when_fitting_and_later(cell):
    frame = pd.DataFrame({"x": pd.Series([cell], dtype=object)})
    for encode in (lambda: Encoder.fit(frame, ["x"]), lambda: fitted(["a"]).transform(frame)):
        with pytest.raises(ValueError, match="column 'x' holds .*: a category is text, a number or a boolean"):
            encode()


def test_decimals_are_not_taken_for_numbers():
    with pytest.raises(ValueError, match=r"column 'x' holds Decimal\('1'\) \(Decimal\): expected numbers"):
        as_numbers(pd.Series([decimal.Decimal(1)], name="x"))


def test_a_categorical_name_that_is_no_feature_is_refused():
    with pytest.raises(ValueError, match=r"categorical names \['b'\], which are not among the features \['a'\]"):
        Encoder.fit(pd.DataFrame({"a": [1], "b": [1]}), ["a"], ["b"])


def test_a_feature_named_twice_is_refused():
    with pytest.raises(ValueError, match=r"features are \['a', 'a'\]: expected each name once"):
        Encoder.fit(pd.DataFrame({"a": [1]}), ["a", "a"])


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {"name": "a"},
        ["a"],
        [{"name": "a"}],
        [{"name": 1, "kind": "numeric"}],
        [{"name": "a", "kind": "other"}],
        [{"name": "a", "kind": "categorical"}],
        [{"name": "a", "kind": "categorical", "categories": [None]}],
    ],
)
def test_json_of_another_form_is_refused(stored):
    with pytest.raises(ValueError, match="is stored as a list|is not a stored feature"):
        Encoder.from_json(stored)


@pytest.mark.parametrize(
    ("trained", "arrived", "note"),
    [
        ([1.0, 2.0], [3.0, None, math.nan, 4.0], "2 of 4 rows lack `x`, which training never lacked"),
        (["a", "b"], ["a", None, "b"], "1 of 3 rows lack `x`, which training never lacked"),
        ([True, False], [True, None], "1 of 2 rows lack `x`, which training never lacked"),
        ([1.0, None], [None, 2.0, math.nan], ""),
        (["a", None], [None, None], ""),
        ([None, None], [None, 1.0], "1 of 2 rows have `x`, which every row of the training lacked"),
        ([None, None], [None, None], ""),
        ([1.0, math.inf], [-math.inf, 1.0, math.inf], "2 of 3 rows have an infinite `x`"),
        (["a", "b"], ["A", "B"] * 5 + ["A"], "none of the 11 values of `x` was in the training"),
        (["a", "b"], ["A", "B"] * 5 + ["a"], ""),
        (["a", "b"], ["A"], ""),
        ([1.0, 2.0], [], ""),
        (
            [1.0, 2.0],
            [math.inf, None],
            "1 of 2 rows lack `x`, which training never lacked; 1 of 2 rows have an infinite `x`",
        ),
    ],
)
def test_what_rows_hold_that_training_did_not_is_counted(trained: list, arrived: list, note: str):
    text = isinstance(trained[0], str | bool)
    frame = pd.DataFrame({"x": trained}, dtype=object if text else float)
    encoder = Encoder.fit(frame, ["x"])
    for one in (encoder, Encoder.from_json(json.loads(json.dumps(encoder.to_json())))):
        found = one.transform_with_notes(pd.DataFrame({"x": arrived}, dtype=object if text else float))[1]
        assert found == ({"x": note} if note else {})


def test_an_encoder_that_was_stored_before_this_was_kept_says_nothing_of_it():
    entry = {"name": "x", "kind": "numeric"}
    assert Encoder.from_json([entry]).transform_with_notes(pd.DataFrame({"x": [None, 1.0]}))[1] == {}


def test_rates_stand_for_the_codes_of_values_and_for_missing_and_unseen_ones():
    encoder = fitted(["a", "b"]).with_rates({"x": [0.1, 0.2, 0.3, 0.4]})
    for one in (encoder, Encoder.from_json(json.loads(json.dumps(encoder.to_json())))):
        assert one == encoder
        assert codes(one, ["b", None, "a", "c"]) == [0.2, 0.3, 0.1, 0.4]
