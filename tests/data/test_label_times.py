"""Labels in time: maturity, age, the outcome that is named, and the columns that labelling adds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ml_assets.domain.declared.spec import LABEL_COLUMNS
from tests.data.instant_logs import HOUR, MICROSECOND, NOON, hour, log

Frames = Callable[..., pd.DataFrame]


@pytest.mark.parametrize("exposures", [log(), log(NOON)], ids=["no exposures", "one exposure"])
@pytest.mark.parametrize("outcomes", [log(), log(NOON)], ids=["no outcomes", "one outcome"])
def test_types_do_not_depend_on_the_rows(exposures: pd.DataFrame, outcomes: pd.DataFrame, labelled: Frames) -> None:
    found = labelled(exposures, outcomes, **hour())
    assert len(found) == len(exposures)
    assert found.dtypes.astype(str).to_dict() == {
        "time": "datetime64[us, UTC]",
        "id": "int64",
        "label": "int8",
        "label_age": "float64",
        "mature": "bool",
        "outcome_time": "datetime64[us, UTC]",
        "outcome_known": "datetime64[us, UTC]",
    }


@pytest.mark.parametrize(("late", "mature"), [(-MICROSECOND, False), (timedelta(0), True), (MICROSECOND, True)])
def test_an_exposure_is_mature_once_the_whole_horizon_has_passed(
    late: timedelta, mature: bool, labelled: Frames
) -> None:
    found = labelled(log(NOON), log(), **hour(observed_until=NOON + HOUR + late))
    assert found["mature"].tolist() == [mature]
    assert found["label_age"].tolist() == [(HOUR + late) / timedelta(seconds=1)]


def test_an_immature_exposure_has_its_label_as_far_as_it_is_known(labelled: Frames) -> None:
    found = labelled(log(NOON, NOON), log(NOON, id=[1]), **hour(observed_until=NOON + MICROSECOND))
    assert found["label"].tolist() == [1, 1]
    assert not found["mature"].any()


def test_the_label_age_is_exact_to_the_microsecond(labelled: Frames) -> None:
    times = [NOON + timedelta(microseconds=one) for one in (1, 333_333, 700_000, 999_999)]
    found = labelled(log(*times), log(), **hour(observed_until=NOON + timedelta(seconds=1.5)))
    assert sorted(found["label_age"], reverse=True) == [1.499999, 1.166667, 0.8, 0.500001]


def test_the_time_zone_in_which_an_instant_is_written_does_not_matter(labelled: Frames) -> None:
    zone = ZoneInfo("Asia/Tokyo")
    exposures, outcomes = log(NOON), log(NOON + HOUR / 2)
    written = labelled(exposures, outcomes, **hour(observed_until=(NOON + 2 * HOUR).astimezone(zone)))
    assert_frame_equal(written, labelled(exposures, outcomes, **hour()))
    local = labelled(exposures.assign(time=exposures["time"].dt.tz_convert(zone)), outcomes, **hour())
    assert local["label"].tolist() == [1]


def test_a_horizon_is_elapsed_time_where_clocks_change(labelled: Frames) -> None:
    """The 5th of November 2017 had 25 hours in New York."""
    midnight = datetime(2017, 11, 5, tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)
    exposures = log(midnight)
    exposures["time"] = exposures["time"].dt.tz_convert("America/New_York")
    day = hour(within=24 * HOUR, observed_until=midnight + 24 * HOUR)
    assert labelled(exposures, log(midnight + 24 * HOUR - MICROSECOND), **day)["label"].tolist() == [1]
    assert labelled(exposures, log(midnight + 24 * HOUR), **day)["label"].tolist() == [0]
    assert labelled(exposures, log(), **day)["mature"].tolist() == [True]
    local = (midnight + 24 * HOUR).astimezone(ZoneInfo("America/New_York"))
    assert labelled(exposures, log(), **day | {"observed_until": local})["mature"].tolist() == [True]
    earlier = local - MICROSECOND
    assert labelled(exposures, log(), **day | {"observed_until": earlier})["mature"].tolist() == [False]


@pytest.mark.parametrize("by_id", [True, False])
def test_of_outcomes_at_once_the_earliest_known_is_named(by_id: bool, labelled: Frames) -> None:
    outcomes = log(*[NOON + HOUR / 2] * 3, NOON + HOUR * 0.75)
    outcomes["known"] = NOON + pd.to_timedelta([3, 1, 2, 0], unit="h")
    found = labelled(log(NOON, NOON + HOUR / 2, NOON + HOUR / 2 + MICROSECOND), outcomes, **hour(by_id=by_id))
    found = found.sort_values("time")
    assert found["label"].tolist() == [1, 1, 1]
    later = NOON + HOUR if by_id else NOON
    assert found["outcome_known"].tolist() == [NOON + HOUR, later, NOON]


def test_the_columns_of_the_exposures_alone_come_through(labelled: Frames) -> None:
    exposures = log(NOON, value=[5], shared=["exposure"])
    outcomes = log(NOON, value=[7], shared=["outcome"], label=[9])
    found = labelled(exposures, outcomes, **hour())
    assert list(found.columns) == ["time", "id", "value", "shared", *LABEL_COLUMNS]
    assert found[["value", "shared", "label"]].to_numpy().tolist() == [[5, "exposure", 1]]


@pytest.mark.parametrize(
    "name",
    [
        "label",
        "label_age",
        "mature",
        "outcome_time",
        "outcome_known",
        "Label",
        "MATURE",
        "_outcome_events",
        "_Outcome_",
    ],
)
def test_an_exposure_log_with_a_column_of_ours_is_refused(name: str, labelled: Frames) -> None:
    with pytest.raises(ValueError, match=rf"columns \['{name}'\], which labelling adds"):
        labelled(log(NOON).rename(columns={"id": name}).assign(id=1), log(), **hour())


def test_the_first_outcome_that_counts_is_named_with_when_it_was_known(labelled: Frames) -> None:
    times = [NOON - MICROSECOND, NOON + HOUR / 2, NOON + HOUR / 4, NOON + HOUR]
    outcomes = log(*times)
    outcomes["known"] = outcomes["time"] + HOUR
    found = labelled(log(NOON, NOON, id=[1, 2]), outcomes, **hour()).set_index("id")
    assert found.loc[1, "outcome_time"] == NOON + HOUR / 4
    assert found.loc[1, "outcome_known"] == NOON + HOUR / 4 + HOUR
    assert found.loc[2, ["outcome_time", "outcome_known"]].isna().all()


def test_without_a_known_time_an_outcome_is_known_when_it_happens(labelled: Frames) -> None:
    found = labelled(log(NOON), log(NOON + HOUR / 2), **hour())
    assert found["outcome_known"].tolist() == found["outcome_time"].tolist() == [NOON + HOUR / 2]
