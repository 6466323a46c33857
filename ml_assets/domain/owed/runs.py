"""How partitions are grouped into runs: by the assets that they need, contiguous, no more at once than is sensible."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from ml_assets.domain.calendar import contiguous
from ml_assets.domain.declared.spec import Model


@dataclass(frozen=True)
class RunSize:
    """How many partitions a run may hold.

    `at_most`: more would be lost together, when a run is killed; `parallelism`: runs that execute at once, which share
    a range as evenly as they can.
    """

    at_most: int
    parallelism: int = 1

    def split(self, partitions: range) -> list[range]:
        """The runs that a range of partitions is made by: as few as these bounds allow, of equal size but for one."""
        count = len(partitions)
        if not count:
            return []
        runs = max(ceil(count / self.at_most), min(self.parallelism, count))
        edges = [partitions.start + count * number // runs for number in range(runs + 1)]
        return [range(start, stop) for start, stop in pairwise(edges)]


def chains(model: Model) -> list[tuple[str, ...]]:
    """The assets that one run makes, in order: training, then the evaluation at each horizon."""
    training = (model.asset("training_data"), model.asset("model"))
    evaluations = [(model.asset("evaluation_data", h), model.asset("metrics", h)) for h in model.evaluation.horizons]
    return [training, *evaluations]


def comes_after(model: Model) -> dict[str, tuple[str, ...]]:
    """For each asset those whose partition is made before its own: its inputs, and a model before what judges it."""
    training_data, trained = model.asset("training_data"), model.asset("model")
    result: dict[str, tuple[str, ...]] = {training_data: (), trained: (training_data,)}
    for horizon in model.evaluation.horizons:
        data = model.asset("evaluation_data", horizon)
        result |= {data: (trained,), model.asset("metrics", horizon): (data, trained)}
    return result


def group(
    model: Model, wanted: Mapping[str, Collection[str]], *, size: RunSize
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Group partitions into runs, chain by chain.

    Args: `wanted`: the partitions to make, by asset.
    Yields: the assets and the partitions of a run.
    """
    for chain in chains(model):
        for assets, indices in _by_assets(model, chain, wanted).items():
            for span in contiguous(sorted(indices)):
                for part in size.split(span):
                    yield assets, tuple(model.partitions.key(index) for index in part)


def _by_assets(
    model: Model, chain: Sequence[str], wanted: Mapping[str, Collection[str]]
) -> dict[tuple[str, ...], list[int]]:
    assets_of: dict[str, list[str]] = defaultdict(list)
    for asset in chain:
        for partition in wanted.get(asset, ()):
            assets_of[partition].append(asset)
    result: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for partition, assets in assets_of.items():
        result[tuple(assets)].append(model.partitions.index_of(partition))
    return result
