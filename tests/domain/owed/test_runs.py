"""How partitions are grouped into runs, for all ranges and all sets of partitions."""

from collections.abc import Callable
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_assets.domain.calendar import contiguous
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.runs import RunSize, chains, group
from tests.domain.strategies import models

TRAINING_DATA, MODEL = "ads/cvr/training_data", "ads/cvr/model"
EVALUATION_DATA, METRICS = "ads/cvr/evaluation_data_1d", "ads/cvr/metrics_1d"
RANGES = st.builds(lambda start, count: range(start, start + count), st.integers(0, 500), st.integers(1, 300))
SIZES = st.builds(RunSize, st.integers(1, 40), st.integers(1, 12))
INDICES = st.sets(st.integers(0, 20), max_size=21)


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d", "2d"))


def _keys(model: Model, *indices: int) -> tuple[str, ...]:
    return tuple(model.partitions.key(index) for index in indices)


@given(RANGES, SIZES)
def test_the_parts_cover_the_range_exactly_once_and_in_order(partitions: range, size: RunSize) -> None:
    assert [index for part in size.split(partitions) for index in part] == list(partitions)


@given(RANGES, SIZES)
def test_no_part_is_larger_than_allowed_and_none_is_empty(partitions: range, size: RunSize) -> None:
    assert all(0 < len(part) <= size.at_most for part in size.split(partitions))


@given(RANGES, SIZES)
def test_parts_differ_by_one_partition_at_most(partitions: range, size: RunSize) -> None:
    lengths = {len(part) for part in size.split(partitions)}
    assert max(lengths) - min(lengths) <= 1


@given(RANGES, SIZES)
def test_there_are_as_few_parts_as_the_bounds_allow(partitions: range, size: RunSize) -> None:
    count = len(partitions)
    assert len(size.split(partitions)) == max(ceil(count / size.at_most), min(size.parallelism, count))


@pytest.mark.parametrize(
    ("size", "lengths"),
    [
        (RunSize(10), [10, 10, 10]),
        (RunSize(11), [10, 10, 10]),
        (RunSize(30), [30]),
        (RunSize(100), [30]),
        (RunSize(100, 4), [7, 8, 7, 8]),
        (RunSize(4, 2), [3, 4, 4, 4, 3, 4, 4, 4]),
        (RunSize(1, 2), [1] * 30),
        (RunSize(100, 100), [1] * 30),
    ],
)
def test_thirty_partitions_are_split(size: RunSize, lengths: list[int]) -> None:
    assert [len(part) for part in size.split(range(5, 35))] == lengths


def test_chains_are_training_then_the_evaluation_at_each_horizon(model: Model) -> None:
    assert chains(model) == [
        (TRAINING_DATA, MODEL),
        (EVALUATION_DATA, METRICS),
        ("ads/cvr/evaluation_data_2d", "ads/cvr/metrics_2d"),
    ]


def test_training_comes_before_evaluation_whatever_is_asked_first(model: Model) -> None:
    wanted = {METRICS: _keys(model, 1), MODEL: _keys(model, 9), EVALUATION_DATA: _keys(model, 1)}
    assert list(group(model, wanted, size=RunSize(5))) == [
        ((MODEL,), _keys(model, 9)),
        ((EVALUATION_DATA, METRICS), _keys(model, 1)),
    ]


def test_a_hole_divides_a_run(model: Model) -> None:
    wanted = {TRAINING_DATA: _keys(model, 1, 2, 4), MODEL: _keys(model, 1, 2, 4)}
    assert list(group(model, wanted, size=RunSize(5))) == [
        ((TRAINING_DATA, MODEL), _keys(model, 1, 2)),
        ((TRAINING_DATA, MODEL), _keys(model, 4)),
    ]


def test_partitions_that_need_other_assets_are_kept_apart(model: Model) -> None:
    wanted = {TRAINING_DATA: _keys(model, 1, 2), MODEL: _keys(model, 1, 2, 3)}
    assert list(group(model, wanted, size=RunSize(5))) == [
        ((TRAINING_DATA, MODEL), _keys(model, 1, 2)),
        ((MODEL,), _keys(model, 3)),
    ]


def test_each_span_is_split_by_itself(model: Model) -> None:
    wanted = {TRAINING_DATA: _keys(model, 0, 1, 2, 3, 8)}
    parts = [partitions for _, partitions in group(model, wanted, size=RunSize(3))]
    assert parts == [_keys(model, 0, 1), _keys(model, 2, 3), _keys(model, 8)]


def test_nothing_wanted_is_no_run(model: Model) -> None:
    assert list(group(model, {}, size=RunSize(3))) == []
    assert list(group(model, {MODEL: (), METRICS: set()}, size=RunSize(3))) == []


@given(models(), SIZES, st.data())
def test_each_asset_and_partition_that_is_wanted_is_in_exactly_one_run_with_its_like(
    model: Model, size: RunSize, data: st.DataObject
) -> None:
    within = min(model.partitions.length or 21, 21)
    wanted = {
        asset: {index for index in data.draw(INDICES) if index < within} for chain in chains(model) for asset in chain
    }
    keys = {asset: [model.partitions.key(index) for index in indices] for asset, indices in wanted.items()}
    runs = list(group(model, keys, size=size))

    items = [(asset, partition) for assets, partitions in runs for asset in assets for partition in partitions]
    assert sorted(items) == sorted((asset, partition) for asset, of in keys.items() for partition in of)
    order = [next(number for number, chain in enumerate(chains(model)) if assets[0] in chain) for assets, _ in runs]
    assert order == sorted(order), "chain by chain, training first"
    for (assets, partitions), number in zip(runs, order, strict=True):
        indices = [model.partitions.index_of(partition) for partition in partitions]
        assert contiguous(indices) == [range(indices[0], indices[-1] + 1)]
        assert len(indices) <= size.at_most
        for index in indices:
            assert assets == tuple(asset for asset in chains(model)[number] if index in wanted[asset])
    for (assets, one), (others, next_one) in pairwise(runs):
        if assets == others:
            assert model.partitions.index_of(one[-1]) < model.partitions.index_of(next_one[0]), "oldest first"
