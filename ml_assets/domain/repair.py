"""What a repair schedule launches: partitions of late that are missing or failed, which nothing else tries again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time

from ml_assets.domain.due import Facts, State, Status
from ml_assets.domain.durations import Duration, parse_duration
from ml_assets.domain.errors import SpecError
from ml_assets.domain.plan import Budget, PlannedRun, plan
from ml_assets.domain.runs import RunSize, comes_after
from ml_assets.domain.spec import Model


@dataclass(frozen=True)
class Repair:
    """When a model is repaired each day, in the time zone of its partitions, how far back, and how much at once."""

    at: time
    lookback: Duration
    budget: Budget

    @classmethod
    def parse(cls, at: object, lookback: object, budget: object) -> "Repair":
        """Read the declaration.

        Raises: SpecError.
        """
        try:
            parsed = time.fromisoformat(at) if isinstance(at, str) and len(at) == len("03:00") else None
        except ValueError:
            parsed = None
        if parsed is None:
            raise SpecError("repair.at", at, 'write a time of day such as "03:00", in quotes')
        return cls(parsed, parse_duration(lookback, key="repair.lookback"), Budget.parse(budget, key="repair.budget"))


def repairs(
    model: Model,
    facts: Facts,
    found: Mapping[str, Mapping[str, Status]],
    repair: Repair,
    *,
    as_of: datetime,
    size: RunSize,
    seconds: Mapping[str, float],
) -> list[PlannedRun]:
    """The runs to launch, oldest partitions first, within the budget.

    What there is and is merely outdated stays as it is. What is made from a repaired partition becomes due by itself.
    Args: `found`: the model's statuses on these facts; `seconds`: that a partition takes, by asset.
    """

    def is_wanted(asset: str, partition: str) -> bool:
        missing = partition not in facts.made.get(asset, {})
        return missing or found[asset][partition].state is State.FAILED

    planned = plan(
        model, facts, found, assets=model.assets, span=_lookback(model, repair, as_of), only=is_wanted, size=size
    )
    items = {item for run in planned.runs for item in run.items}
    first = comes_after(model)
    ready = [
        run
        for run in planned.runs
        if not any(
            (one, partition) in items and one not in run.assets
            for asset, partition in run.items
            for one in first[asset]
        )
    ]
    return repair.budget.cut(ready, seconds)


def _lookback(model: Model, repair: Repair, as_of: datetime) -> range:
    """The partitions whose cutoff lies in the lookback."""
    calendar = model.partitions
    ended = calendar.complete_before(as_of)
    before = calendar.complete_before(as_of - repair.lookback.elapsed)
    return range(len(before), len(ended))
