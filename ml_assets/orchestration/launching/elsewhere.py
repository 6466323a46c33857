"""What others have made since a plan was made, or make now: a sensor's runs, a person's."""

import math
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

import dagster as dg

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.facts import Made
from ml_assets.orchestration.launching.outcomes import Item
from ml_assets.orchestration.recorded.facts import asset_key, partitions_of_run, runs_in_progress
from ml_assets.orchestration.recorded.memo import Memo

#: To look costs what all the runs in progress do, so that hundreds that are launched, or wait, share a look.
_SECONDS_BETWEEN_LOOKS = 1


class Seen(NamedTuple):
    """By asset and partition, the run that has made it, or that makes it now."""

    made: Mapping[Item, str]
    making: Mapping[Item, str]


class Elsewhere:
    """Looks for what others do of a plan. Args: `made`: what there was of each asset when it was made."""

    def __init__(self, instance: dg.DagsterInstance, made: Mapping[str, Mapping[str, Made]]) -> None:
        self._instance = instance
        self._made = made
        self._memo = Memo()
        self._looked = -math.inf
        self._runs: Sequence[dg.DagsterRun] = ()
        self._seen: dict[tuple[str, ...], Seen] = {}

    def look(self, model: Model, assets: Iterable[str], *, own: Container[str]) -> Seen:
        """What is there of some assets of a model, as of a second ago at most.

        Args: `own`: the runs that are not of others.
        """
        if time.monotonic() - self._looked > _SECONDS_BETWEEN_LOOKS:
            self._looked = time.monotonic()
            # First of all: a run that ends meanwhile is found by one of both.
            self._runs = runs_in_progress(self._instance)
            self._seen.clear()
        key = tuple(assets)
        if key not in self._seen:
            self._seen[key] = self._look(model, key, own)
        return self._seen[key]

    def _look(self, model: Model, assets: Sequence[str], own: Container[str]) -> Seen:
        making = {
            (asset, partition): run.run_id
            for run in self._runs
            if run.run_id not in own
            for asset in assets
            if run.asset_selection is not None and asset_key(asset) in run.asset_selection
            for partition in partitions_of_run(run, model)
        }
        made: dict[Item, str] = {}
        for asset, recorded in zip(assets, self._memo.read(self._instance, [*map(asset_key, assets)]), strict=True):
            before = self._made.get(asset, {})
            for partition, event in recorded.made.items():
                known = before.get(partition)
                if (known is None or known.id != event.id) and event.run not in own:
                    made[asset, partition] = event.run
        return Seen(made, making)
