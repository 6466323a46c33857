"""A model that is added has the partitions of its logs, and windows that they can hold."""

import pytest

from tests.authoring.new.added import NEW_SERVICE, New, declared
from tests.support.projects import TeamProject


def test_the_windows_are_those_that_the_logs_can_hold(team: TeamProject, new: New) -> None:
    # Two weeks of logs, whose lookahead is three days.
    new("shop/repeat")
    model = team.project.models["shop/repeat"]
    assert str(model.training.window) == "7d"
    assert [str(horizon) for horizon in model.evaluation.horizons] == ["1d"]


HOURLY = [("lookahead: 3d", "lookahead: 3h"), ("every: day", "every: hour"), ("window: 3d", "window: 6h")]
HOURLY += [("attribution: 2d", "attribution: 2h"), ("window: 1d, horizons: [2d]", "window: 1h, horizons: [2h]")]
WEEKLY = [("lookahead: 3d", "lookahead: 2w"), ("every: day", "every: week"), ('end: "2026-03-15"', 'end: "2026-12-27"')]
WEEKLY += [("window: 3d", "window: 2w"), ("attribution: 2d", "attribution: 1w")]
WEEKLY += [("window: 1d, horizons: [2d]", "window: 1w, horizons: [1w]")]


@pytest.mark.parametrize(
    ("changes", "windows"), [(HOURLY, ("1d", "1h", ["1h"])), (WEEKLY, ("4w", "1w", ["1w"]))], ids=["hourly", "weekly"]
)
def test_a_second_model_has_windows_of_its_logs_partitions(
    changes: list[tuple[str, str]], windows: tuple[str, str, list[str]], team: TeamProject, new: New
) -> None:
    for name in ("logs", "order"):
        path = team.root / team.package / "defs/shop" / name / "defs.yaml"
        text = path.read_text()
        for old, right in changes:
            text = text.replace(old, right)
        path.write_text(text)
    result = new("shop/repeat")
    assert result.exit_code == 0, result.output
    model = team.project.models["shop/repeat"]
    horizons = [str(horizon) for horizon in model.evaluation.horizons]
    assert (str(model.training.window), str(model.evaluation.window), horizons) == windows


@pytest.mark.parametrize(
    ("every", "folder", "horizons"),
    [("hour", "hour=2026-01-01-00:00+0000/", ["1h", "1d"]), ("week", "date=2026-01-01/", ["1w", "2w"])],
)
def test_new_logs_may_be_hourly_or_weekly(
    every: str, folder: str, horizons: list[str], team: TeamProject, new: New
) -> None:
    assert new("store/order", *NEW_SERVICE, "--every", every, "--start", "2026-01-01").exit_code == 0
    path = team.root / team.package / "defs/store/logs/defs.yaml"
    assert [log["partitions"]["every"] for log in declared(path)] == [every, every]
    assert folder in path.read_text()
    model = team.project.models["store/order"]
    assert [str(horizon) for horizon in model.evaluation.horizons] == horizons


def test_a_model_is_as_coarse_as_its_outcomes(team: TeamProject, new: New) -> None:
    logs = team.root / team.package / "defs/shop/logs/defs.yaml"
    visits, orders = logs.read_text().split("---\n")
    logs.write_text("---\n".join([visits.replace("every: day", "every: hour"), orders]))
    (logs.parents[1] / "order/defs.yaml").unlink()
    assert new("shop/repeat", "--exposures", "shop/visits", "--outcomes", "shop/orders").exit_code == 0
    (written,) = declared(team.root / team.package / "defs/shop/repeat/defs.yaml")
    assert written["partitions"] == {"every": "day", "start": "2026-03-01"}
    assert team.project.models["shop/repeat"].partitions.every == "day"
