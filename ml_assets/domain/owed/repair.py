"""What a repair schedule launches: partitions of late that are missing or failed, which nothing else tries again."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration, parse_duration
from ml_assets.domain.errors import SpecError
from ml_assets.domain.owed.due import State, Status
from ml_assets.domain.owed.facts import Facts
from ml_assets.domain.owed.plan import Budget, PlannedRun, plan
from ml_assets.domain.owed.runs import RunSize, chains, comes_after


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
            written = isinstance(at, str) and re.fullmatch(r"\d\d:\d\d", at)
            parsed = time.fromisoformat(at) if written and isinstance(at, str) else None
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
) -> tuple[list[PlannedRun], int]:
    """The runs to launch, oldest partitions first, within the budget, and how many are beyond it.

    What there is and is merely outdated stays as it is. What comes after a repaired partition becomes due by itself.
    Args: `found`: the model's statuses on these facts; `seconds`: that a partition takes, by asset.
    """
    span = _lookback(model, repair, as_of)

    def planned(only: Callable[[str, str], bool]) -> list[PlannedRun]:
        return list(plan(model, facts, found, assets=model.assets, span=span, only=only, size=size).runs)

    def is_wanted(asset: str, partition: str) -> bool:
        missing = partition not in facts.made.get(asset, {})
        return missing or found[asset][partition].state is State.FAILED

    items = {item for run in planned(is_wanted) for item in run.items}
    first, chain_of = comes_after(model), {asset: chain for chain in chains(model) for asset in chain}

    def is_ready(asset: str, partition: str) -> bool:
        others = (one for one in first[asset] if one not in chain_of[asset])
        return is_wanted(asset, partition) and not any((one, partition) in items for one in others)

    runs = planned(is_ready)
    allowed = repair.budget.cut(runs, seconds)
    return allowed, len(runs) - len(allowed)


def _lookback(model: Model, repair: Repair, as_of: datetime) -> range:
    """The partitions whose cutoff lies in the lookback."""
    calendar = model.partitions
    ended = calendar.complete_before(as_of)
    before = calendar.complete_before(as_of - repair.lookback.elapsed)
    return range(len(before), len(ended))
